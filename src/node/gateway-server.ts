import { Hono } from 'hono'
import type { Registration } from '../coordination/discovery/discovery-types.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../traffic/gateway.ts'
import { NodeHttpProxyHost } from '../world/http-proxy.ts'
import { type Althing, open } from './althing.ts'
import { HttpListener } from './http-listener.ts'

export interface GatewayServerOptions
  extends Pick<GatewayOptions, 'service' | 'listen' | 'balancer' | 'routeHeaders'> {
  /** Where the store is, with the discovery of the service's instances. */
  readonly url: string
}

export interface GatewayServer {
  readonly gateway: Gateway
  /** Lets what is under way finish, then ends. Idempotent. */
  close(): Promise<void>
}

/** Under this name gateways register themselves; `metadata.admin` is the address of {@link statsApp}. */
export const gatewayService = 'gateway'

/** A gateway as a server: fed by the cluster's discovery, and found through it by the console. */
export async function startGatewayServer(options: GatewayServerOptions): Promise<GatewayServer> {
  const althing = await open(options.url)
  let gateway: Gateway | undefined
  let admin: HttpListener | undefined
  try {
    const { url: _, ...gatewayOptions } = options
    gateway = await createGateway(
      { world: althing.world, http: new NodeHttpProxyHost(), directory: althing.discovery },
      gatewayOptions,
    )
    admin = await HttpListener.start(statsApp(gateway, options.service).fetch, '127.0.0.1:0')
    const registration = await althing.discovery.register({
      service: gatewayService,
      address: gateway.address,
      metadata: { admin: admin.address, upstream: options.service },
    })
    return openGateway(althing, gateway, admin, registration)
  } catch (error) {
    await admin?.close()
    await gateway?.close()
    await althing.close()
    throw error
  }
}

function openGateway(
  althing: Althing,
  gateway: Gateway,
  admin: HttpListener,
  registration: Registration,
): GatewayServer {
  const end = async (): Promise<void> => {
    try {
      await registration.drain()
      await gateway.drain({ within: '5s' })
      await registration.deregister()
    } finally {
      await gateway.close()
      await admin.close()
      await althing.close()
    }
  }
  let ending: Promise<void> | undefined
  return {
    gateway,
    close: () => {
      ending ??= end()
      return ending
    },
  }
}

/** What the gateway tells of itself, on this machine only: `/stats`, and `/why?user=…` for the route of one client. */
function statsApp(gateway: Gateway, service: string): Hono {
  const app = new Hono()
  app.get('/stats', (context) =>
    context.json({
      address: gateway.address,
      service,
      metrics: gateway.metrics(),
      instances: gateway.instances(),
      recentRoutes: gateway.recentRoutes().slice(0, 50),
    }),
  )
  app.get('/why', (context) => {
    const { user, device, address } = context.req.query()
    return context.json(
      gateway.why({
        ...(user === undefined ? {} : { userId: user }),
        ...(device === undefined ? {} : { deviceId: device }),
        ...(address === undefined ? {} : { address }),
      }),
    )
  })
  return app
}
