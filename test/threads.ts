import { env } from '../src/runtime/env'

// Tiny networks gain nothing from a second thread, and threads of several test files would wait for each other.
env.threads = 1
