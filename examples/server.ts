// A server that draws and keeps answering meanwhile: `npx tsx examples/server.ts`, then open http://localhost:8080/?prompt=a+red+star
import { createServer } from 'node:http'
import { StableDiffusionPipeline } from 'latentkit/worker'

const pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
let drawn = 0

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  // Answered at once, also in the middle of a picture.
  if (pathname === '/health') return void response.end(`${drawn} pictures\n`)
  // A visitor who leaves ends the drawing.
  const controller = new AbortController()
  response.on('close', () => controller.abort())
  try {
    const { images } = await pipe.run({
      prompt: searchParams.get('prompt') ?? 'a green heart above a yellow moon',
      numInferenceSteps: 20,
      guidanceScale: 5,
      signal: controller.signal,
    })
    drawn++
    const png = await images[0].toBlob()
    response.writeHead(200, { 'content-type': 'image/png' }).end(new Uint8Array(await png.arrayBuffer()))
  } catch (error) {
    if (!controller.signal.aborted) response.writeHead(500).end(`${error}\n`)
  }
})

server.listen(Number(process.env.PORT ?? 8080), () => console.log('http://localhost:8080/?prompt=a+red+star'))
process.once('SIGINT', async () => {
  server.close()
  await pipe.dispose()
})
