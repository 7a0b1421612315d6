// What all commands that send have in common: their options, the connection, and how the outcome is shown.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Client } from '../client/index.ts'
import type { Call, SendOptions } from '../client/send.ts'
import type { Context } from './context.ts'
import { rememberHeights } from './heights.ts'
import { wholeNumber } from './number.ts'
import { exitCodeOfReceipt, receiptText } from './receipt.ts'

export interface SendingOptions {
  gas?: number
  expires?: number
  nonce?: number
  wait: boolean
  dryRun?: boolean
  timeout: number
  genesisHash?: string
}

export const genesisHashOption = (description = "the network's identity; without it the node's word is taken") =>
  new Option('--genesis-hash <hash>', description).env('QUORATE_GENESIS_HASH').argParser((text) => {
    if (/^[0-9a-f]{64}$/.test(text)) return text
    throw new InvalidArgumentError('Expected 64 lower-case hexadecimal digits, as `quorate genesis show` prints them.')
  })

export function addSendingOptions(command: Command): Command {
  return command
    .option('--gas <gas>', 'gas limit (default: what a dry run uses, half as much again, and a little)', wholeNumber(1))
    .option('--expires <height>', 'last height at which it may run (default: 1,000 blocks from now)', wholeNumber(1))
    .option('--nonce <nonce>', "the sender's nonce (default: the next one)", wholeNumber(0))
    .option('--no-wait', 'print the id once a node has taken it, without waiting for the receipt')
    .option('--dry-run', 'show the receipt it would get now; nothing is sent')
    .option('--timeout <ms>', 'how long to wait for the certified receipt', wholeNumber(1, 3_600_000), 60_000)
    .addOption(genesisHashOption())
}

/** A connection that never reads behind what an earlier command saw. */
export async function connectTo(
  context: Context,
  genesisHash?: string,
): Promise<{ client: Client; saveHeights(): Promise<void> }> {
  const [{ connect }, { verify }] = await Promise.all([import('../client/index.ts'), import('../crypto/signer.ts')])
  const client = await connect({ endpoints: context.endpoints, genesisHash, verify })
  const heights = await rememberHeights(context, client.parts.nodes, client.genesisHash)
  return { client, saveHeights: heights.save }
}

/** Sends one call as the options say, prints what came of it, and gives the exit code. */
export async function sendCall(context: Context, call: Call, options: SendingOptions): Promise<number> {
  const key = await context.signer()
  const { client, saveHeights } = await connectTo(context, options.genesisHash)
  const { sender } = client.parts
  const send: SendOptions = {
    gasLimit: options.gas,
    expires: options.expires,
    nonce: options.nonce,
    timeoutMs: options.timeout,
  }
  if (options.dryRun) {
    const document = await sender.dryRun(key, call, send)
    context.print(document, `dry run, nothing was sent\n${receiptText(document)}`)
    return exitCodeOfReceipt(document)
  }
  if (!options.wait) {
    const { id } = await sender.hand(key, call, send)
    context.print({ id }, id)
    return 0
  }
  const receipt = await sender.send(key, call, {
    ...send,
    onSigned: ({ id }) => context.note(`sent ${id}, waiting for its certificate`),
  })
  await saveHeights()
  return printReceipt(context, receipt)
}

/** The proof has been checked and is left out; `tx show --prove` prints it. */
export function printReceipt(context: Context, receipt: Awaited<ReturnType<Client['transaction']>>): number {
  const { proof: _, ...document } = receipt
  context.print(document, receiptText(receipt))
  return exitCodeOfReceipt(receipt)
}
