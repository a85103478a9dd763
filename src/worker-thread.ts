// The script of a worker thread in Node and Deno: `latentkit/worker` starts it.
import './node'
import { servePipelines } from './pipelines/remote/host'
import { parentThread } from './platform/node/worker'

servePipelines(parentThread())
