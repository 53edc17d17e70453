import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './style/tokens.css'
import './style/base.css'
import './style/layout.css'
import './style/parts.css'
import './style/views.css'
import { App } from './app.tsx'
import { startLive } from './live/live-state.ts'
import { startRoute } from './route.ts'
import { startLanguage } from './text/language.ts'
import { startTheme } from './theme.ts'

startTheme()
startLanguage()
startRoute()
startLive()
render(<App />, document.querySelector('#app') as HTMLElement)
