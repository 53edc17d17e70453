import { describeNats } from './describe-nats.ts'

describeNats('NATS, three servers,', 3, ['bulk-renewal', 'clients', 'restart', 'cut', 'failover'])
