import { postgresUnavailable } from '../engines/servers/postgres-server.ts'
import { describeRecipes, describeUntested } from './describe-recipes.ts'
import { startPostgres } from './places/postgres.ts'

const name = 'recipes on PostgreSQL'
const unavailable = postgresUnavailable()

if (unavailable === undefined) await describeRecipes(name, startPostgres)
else describeUntested(name, unavailable)
