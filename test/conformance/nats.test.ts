import { describeNats } from './describe-nats.ts'

describeNats('NATS', 1, ['bulk-renewal', 'clients', 'restart', 'cut'])
