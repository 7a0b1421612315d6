// A thread of a campaign: runs its share of the seeds and posts the summary.
import { parentPort, workerData } from 'node:worker_threads'
import { type CampaignOptions, runCampaign } from './campaign.ts'

parentPort?.postMessage(await runCampaign(workerData as CampaignOptions))
