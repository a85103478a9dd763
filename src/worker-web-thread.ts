// The script of a worker in the browser: `latentkit/worker` starts it.
import './web'
import { servePipelines } from './pipelines/remote/host'
import { page } from './platform/web/worker'

servePipelines(page())
