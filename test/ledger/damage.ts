// Ways in which the files of a folder come to harm, by a seed: the same seed does the same harm to the same files.
import { copyFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Numbers from a seed (mulberry32). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** Every so many bytes of a table file one is damaged, where all of it is gone through. */
export const DAMAGE_STEP = 23

export interface Place {
  folder: string
  /** The same folder as it was earlier. */
  earlier: string
}

type Harm = (random: (below: number) => number, place: Place, name: string) => Promise<string>

const edit =
  (change: (bytes: Buffer, random: (below: number) => number) => Buffer): Harm =>
  async (random, { folder }, name) => {
    const bytes = await readFile(join(folder, name))
    await writeFile(join(folder, name), change(bytes, random))
    return `${name} (${bytes.length} bytes)`
  }

const HARMS: Record<string, Harm> = {
  'a flipped bit': edit((bytes, random) => {
    if (bytes.length > 0) bytes[random(bytes.length)]! ^= 1 << random(8)
    return bytes
  }),
  'several changed bytes': edit((bytes, random) => {
    for (let times = random(40); bytes.length > 0 && times >= 0; times--) bytes[random(bytes.length)] = random(256)
    return bytes
  }),
  'a cut end': edit((bytes, random) => bytes.subarray(0, random(bytes.length + 1))),
  'zeros in it': edit((bytes, random) => {
    const from = random(bytes.length + 1)
    return bytes.fill(0, from, Math.min(bytes.length, from + random(8_192)))
  }),
  'a half-written block': edit((bytes, random) => {
    const from = random(Math.ceil(bytes.length / 4_096)) * 4_096
    for (let at = from; at < Math.min(bytes.length, from + 4_096); at++) bytes[at] = random(256)
    return bytes
  }),
  'garbage behind it': edit((bytes, random) => {
    return Buffer.concat([bytes, Buffer.from(Array.from({ length: 1 + random(300) }, () => random(256)))])
  }),
  async 'it deleted'(_, { folder }, name) {
    await rm(join(folder, name))
    return name
  },
  async 'it swapped with another'(random, { folder }, name) {
    const other = await pick(random, folder)
    await rename(join(folder, name), join(folder, 'swapping'))
    if (other !== name) await rename(join(folder, other), join(folder, name))
    await rename(join(folder, 'swapping'), join(folder, other))
    return `${name} and ${other}`
  },
  async 'a copy of another in its place'(random, { folder }, name) {
    const other = await pick(random, folder)
    if (other !== name) await copyFile(join(folder, other), join(folder, name))
    return `${name}, of ${other}`
  },
  async 'an old copy in its place'(random, { folder, earlier }, name) {
    const old = (await readdir(earlier)).filter((each) => kindOf(each) === kindOf(name))
    if (old.length === 0) return `${name}, of none`
    const other = old[random(old.length)]!
    await copyFile(join(earlier, other), join(folder, name))
    return `${name}, of ${other} as it was`
  },
}

const kindOf = (name: string): string => name.replace(/\d+/g, '')

async function pick(random: (below: number) => number, folder: string): Promise<string> {
  // LevelDB's notes and its lock hold nothing.
  const names = (await readdir(folder)).filter((name) => !/^LO(G|CK)/.test(name)).sort()
  return names[random(names.length)]!
}

/** Does one of these to one of the files; says what. */
export async function harm(seed: number, place: Place): Promise<string> {
  const random = createRandom(seed)
  const name = await pick(random, place.folder)
  const kinds = Object.keys(HARMS)
  const kind = kinds[random(kinds.length)]!
  return `seed ${seed}: ${kind}: ${await HARMS[kind]!(random, place, name)}`
}
