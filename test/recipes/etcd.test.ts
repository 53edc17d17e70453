import { etcdUnavailable } from '../engines/servers/etcd-servers.ts'
import { describeRecipes, describeUntested } from './describe-recipes.ts'
import { startEtcd } from './places/etcd.ts'

const name = 'recipes on etcd'
const unavailable = etcdUnavailable()

if (unavailable === undefined) await describeRecipes(name, startEtcd)
else describeUntested(name, unavailable)
