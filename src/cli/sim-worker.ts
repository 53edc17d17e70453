import { runSimTask, type SimTask } from './sim-task.ts'

/** A process that runs the seeds it is sent, one at a time, and sends back what became of each. Ends with its parent. */
process.on('message', (task: SimTask) => {
  void runSimTask(task).then(
    (report) => process.send?.({ report }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
