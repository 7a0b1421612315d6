/**
 * The shipped registry: where the instances of services are, as long as they say so, and what services are configured with. Whether
 * an instance has expired is judged at each call and view by the block's time; its entry goes when someone prunes.
 * State: `service/SERVICE`, `instance/SERVICE/INSTANCE`, `config/SERVICE/KEY`, `revision`.
 */
import { type CallContext, contract, type ReadableState } from 'quorate/contract'
import { type Access, assertOwner, assertWriter, mayWrite, writersOf } from '../shared/account.ts'
import { fieldsOf, flagOf, jsonOf, nameOf, refuse, textOf, wholeNumberOf } from '../shared/arguments.ts'
import { ownedThings } from '../shared/owned.ts'
import { pageOf, pageRequest } from '../shared/page.ts'
import { assertVersion, countRevision, type Versioned } from '../shared/versions.ts'

/** As the state keeps it. */
interface Instance {
  /** Who registered it. */
  account: string
  address: string
  metadata: unknown
  ttlMs: number
  healthy: boolean
  /** Block time in ms from which on it counts for nothing. */
  expiresAt: number
}

/** A week: long enough for what a person registers by hand. */
const TTL_MAX_MS = 604_800_000
const ADDRESS_CHARACTERS_MAX = 256
const METADATA_BYTES_MAX = 2 * 1024
/** A value goes into an event, which has 16 KiB with all around it. */
const VALUE_BYTES_MAX = 8 * 1024

const serviceNameOf = (value: unknown) => nameOf(value, 'service')
const services = ownedThings({ kind: 'service', event: 'ServiceChanged', nameOf: serviceNameOf })
const instancesBase = (service: string) => `instance/${service}/`
const configBase = (service: string) => `config/${service}/`
const ttlOf = (value: unknown) => wholeNumberOf(value, 'ttlMs', { min: 1, max: TTL_MAX_MS })

function liveInstance(ctx: { state: ReadableState; block: { time: number } }, key: string): Instance | undefined {
  const instance = ctx.state.get<Instance>(key)
  return instance !== undefined && instance.expiresAt > ctx.block.time ? instance : undefined
}

/** A live instance that the sender may speak for: it registered it and is still a writer, or owns the service. */
function managed(ctx: CallContext, given: { service?: unknown; instance?: unknown }) {
  const { name: service, thing: access, label } = services.load(ctx, given.service)
  const name = nameOf(given.instance, 'instance')
  const key = instancesBase(service) + name
  const instance = liveInstance(ctx, key)
  if (instance === undefined) refuse(`${label} has no instance ${name}, or it expired: register it again`)
  const isOwn = instance.account === ctx.sender && mayWrite(access, ctx.sender)
  if (isOwn || ctx.sender === access.owner) return { service, name, key, instance }
  refuse(`instance ${name} of ${label} is ${instance.account}'s: only it, as a writer, and ${access.owner} may do this`)
}

/** The owner's configuration of a service. */
function configured(ctx: CallContext, given: { service?: unknown; key?: unknown; version?: unknown }) {
  const { name: service, thing: access, label } = services.load(ctx, given.service)
  const name = nameOf(given.key, 'key')
  assertOwner(ctx, access, label)
  const key = configBase(service) + name
  const current = ctx.state.get<Versioned>(key)
  assertVersion(`${name} of ${label}`, current, given.version)
  return { service, name, key, current }
}

export default contract({
  calls: {
    /** The sender owns it. */
    createService(ctx, args: { service: string; writers?: string[] }) {
      const { service, writers = [] } = fieldsOf(args, ['service', 'writers'])
      services.create(ctx, service, { owner: ctx.sender, writers: writersOf(ctx, writers) })
    },

    ...services.calls,

    /** Healthy, for ttlMs from now; again, it replaces what the sender registered before. */
    register(ctx, args: { service: string; instance: string; address: string; metadata?: unknown; ttlMs: number }) {
      const fields = fieldsOf(args, ['service', 'instance', 'address', 'metadata', 'ttlMs'])
      const { name: service, thing: access, label } = services.load(ctx, fields.service)
      const name = nameOf(fields.instance, 'instance')
      const address = textOf(fields.address, 'address', { charactersMax: ADDRESS_CHARACTERS_MAX })
      const { metadata: given = {} } = fields
      const metadata = jsonOf(given, 'metadata', { bytesMax: METADATA_BYTES_MAX })
      const ttlMs = ttlOf(fields.ttlMs)
      assertWriter(ctx, access, label)
      const key = instancesBase(service) + name
      const before = liveInstance(ctx, key)
      if (before !== undefined && before.account !== ctx.sender) {
        refuse(`instance ${name} of ${label} is ${before.account}'s until ${before.expiresAt}: choose another name`)
      }
      const expiresAt = ctx.block.time + ttlMs
      const instance: Instance = { account: ctx.sender, address, metadata, ttlMs, healthy: true, expiresAt }
      ctx.state.set(key, instance)
      ctx.emit('Registered', { service, instance: name, account: ctx.sender, address, metadata, expiresAt })
      return { expiresAt }
    },

    /** The instance lives for ttlMs from now, as long as before if not given. */
    heartbeat(ctx, args: { service: string; instance: string; ttlMs?: number }) {
      const fields = fieldsOf(args, ['service', 'instance', 'ttlMs'])
      const { service, name, key, instance } = managed(ctx, fields)
      const ttlMs = fields.ttlMs === undefined ? instance.ttlMs : ttlOf(fields.ttlMs)
      const expiresAt = ctx.block.time + ttlMs
      ctx.state.set(key, { ...instance, ttlMs, expiresAt })
      ctx.emit('Heartbeat', { service, instance: name, expiresAt })
      return { expiresAt }
    },

    setHealth(ctx, args: { service: string; instance: string; healthy: boolean }) {
      const fields = fieldsOf(args, ['service', 'instance', 'healthy'])
      const healthy = flagOf(fields.healthy, 'healthy')
      const { service, name, key, instance } = managed(ctx, fields)
      if (instance.healthy === healthy) return
      ctx.state.set(key, { ...instance, healthy })
      ctx.emit('HealthChanged', { service, instance: name, healthy })
    },

    deregister(ctx, args: { service: string; instance: string }) {
      const { service, name, key } = managed(ctx, fieldsOf(args, ['service', 'instance']))
      ctx.state.delete(key)
      ctx.emit('Deregistered', { service, instance: name })
    },

    /** Removes what has expired, a page of it. Anyone may. */
    prune(ctx, args: { service: string; after?: string; limit?: number }) {
      const fields = fieldsOf(args, ['service', 'after', 'limit'])
      const { name: service } = services.load(ctx, fields.service)
      const base = instancesBase(service)
      const request = pageRequest(base, fields, nameOf)
      const { items, next } = pageOf(ctx.state, request, (instance, { expiresAt }: Instance) =>
        expiresAt > ctx.block.time ? undefined : instance,
      )
      for (const instance of items) {
        ctx.state.delete(base + instance)
        ctx.emit('Expired', { service, instance })
      }
      return { pruned: items.length, next }
    },

    /** With `version`, only if the entry is at it. The service's owner only. */
    setConfig(ctx, args: { service: string; key: string; value: unknown; version?: number }) {
      const fields = fieldsOf(args, ['service', 'key', 'value', 'version'])
      const value = jsonOf(fields.value, 'value', { bytesMax: VALUE_BYTES_MAX })
      const { service, name, key } = configured(ctx, fields)
      const version = countRevision(ctx)
      ctx.state.set(key, { value, version })
      ctx.emit('ConfigSet', { service, key: name, value, version })
      return { version }
    },

    /** The service's owner only. */
    deleteConfig(ctx, args: { service: string; key: string; version?: number }) {
      const { service, name, key, current } = configured(ctx, fieldsOf(args, ['service', 'key', 'version']))
      if (current === undefined) return { deleted: false }
      ctx.state.delete(key)
      ctx.emit('ConfigDeleted', { service, key: name, version: countRevision(ctx) })
      return { deleted: true }
    },
  },

  views: {
    /** Live ones only, in the order of their names. */
    instances(ctx, args: { service: string; healthyOnly?: boolean; after?: string; limit?: number }) {
      const { service, healthyOnly = false, ...bounds } = fieldsOf(args, ['service', 'healthyOnly', 'after', 'limit'])
      const isHealthyOnly = flagOf(healthyOnly, 'healthyOnly')
      const request = pageRequest(instancesBase(serviceNameOf(service)), bounds, nameOf)
      const { items, next } = pageOf(ctx.state, request, (instance, stored: Instance) =>
        stored.expiresAt > ctx.block.time && (stored.healthy || !isHealthyOnly) ? { instance, ...stored } : undefined,
      )
      return { instances: items, next }
    },

    lookup(ctx, args: { service: string; instance: string }) {
      const fields = fieldsOf(args, ['service', 'instance'])
      const instance = nameOf(fields.instance, 'instance')
      const found = liveInstance(ctx, instancesBase(serviceNameOf(fields.service)) + instance)
      return found === undefined ? null : { instance, ...found }
    },

    config(ctx, args: { service: string; key: string }) {
      const fields = fieldsOf(args, ['service', 'key'])
      const key = nameOf(fields.key, 'key')
      const found = ctx.state.get<Versioned>(configBase(serviceNameOf(fields.service)) + key)
      return found === undefined ? null : { key, ...found }
    },

    configs(ctx, args: { service: string; prefix?: string; after?: string; limit?: number }) {
      const { service, ...bounds } = fieldsOf(args, ['service', 'prefix', 'after', 'limit'])
      const request = pageRequest(configBase(serviceNameOf(service)), bounds, nameOf)
      const { items, next } = pageOf(ctx.state, request, (key, stored: Versioned) => ({ key, ...stored }))
      return { entries: items, next }
    },

    service(ctx, args: { service: string }) {
      return services.find(ctx.state, serviceNameOf(fieldsOf(args, ['service']).service)) ?? null
    },

    services(ctx, args: { after?: string; limit?: number }) {
      const request = pageRequest('service/', fieldsOf(args, ['after', 'limit']), nameOf)
      const { items, next } = pageOf(ctx.state, request, (service, access: Access) => ({ service, ...access }))
      return { services: items, next }
    },
  },
})
