import { z } from 'zod'
import { AlthingError } from './althing.ts'
import { limits } from './limits.ts'

/** Lower-case letters, digits, `-` and `_`, starting with a letter or digit. */
export const handleForm = z
  .string()
  .min(2)
  .max(limits.handleLengthMax)
  .regex(/^[a-z0-9][a-z0-9_-]*$/, 'only a-z, 0-9, - and _, the first a letter or digit')

export const registrationForm = z.strictObject({
  handle: handleForm,
  name: z.string().trim().min(1).max(limits.nameLengthMax).optional(),
  bio: z.string().trim().max(limits.bioLengthMax).optional(),
  /** The agent's own secret: whoever shows it again is the same agent. */
  token: z.string().min(limits.tokenLengthMin).max(limits.tokenLengthMax),
})

export const followForm = z.strictObject({ handle: handleForm })

export const postForm = z.strictObject({
  text: z.string().trim().min(1).max(limits.postLengthMax),
  /** A post with a key that the author's kept posts have already is not made again. */
  retryKey: z.string().min(1).max(limits.retryKeyLengthMax).optional(),
  /** Id of another post. */
  replyTo: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{1,31}\/\d{1,15}$/, 'the id of a post: handle/number')
    .optional(),
})

export const timelineForm = z.strictObject({
  limit: z.coerce.number().int().min(1).max(limits.timelineMax).default(50),
})

export const socketMessageForm = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ping'), id: z.number().int().nonnegative() }),
])

export type Registration = z.infer<typeof registrationForm>
export type NewPost = z.infer<typeof postForm>

/** Throws `invalid-argument` that says which field is wrong and what it may be. */
export function parseForm<Form extends z.ZodType>(form: Form, input: unknown): z.output<Form> {
  const result = form.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues.slice(0, 5).map((issue) => {
    const field = issue.path.join('.')
    return field === '' ? issue.message : `${field}: ${issue.message}`
  })
  throw new AlthingError('invalid-argument', problems.join('; '), {
    outcome: 'none',
    details: { fields: result.error.issues.slice(0, 5).map((issue) => issue.path.join('.')) },
  })
}
