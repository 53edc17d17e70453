import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { limits } from './limits.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Real text, cut into posts. */
export class Corpus {
  readonly #passages: readonly string[]

  constructor(passages: readonly string[]) {
    if (passages.length === 0) throw new Error('the corpus has no passage')
    this.#passages = passages
  }

  /** The text files of `corpus/`, one passage a line. */
  static async load(folder: string = corpusFolder()): Promise<Corpus> {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort()
    const texts = await Promise.all(names.map((name) => readFile(`${folder}/${name}`, 'utf8')))
    return new Corpus(texts.flatMap((text) => text.split('\n')).filter((line) => line.trim() !== ''))
  }

  /** A passage, or as many whole sentences of one as a post may hold. */
  post(random: SeededRandom): string {
    return shorten(random.pick(this.#passages) as string, limits.postLengthMax)
  }

  /** The opening sentence of a passage, as an answer to somebody. */
  reply(random: SeededRandom, to: string): string {
    const sentence = sentencesOf(random.pick(this.#passages) as string)[0] as string
    return shorten(`@${to} ${sentence}`, limits.postLengthMax)
  }
}

/** Beside `src`, in the sources and in what the build makes of them. */
function corpusFolder(): string {
  return fileURLToPath(new URL('../corpus', import.meta.url))
}

function shorten(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text
  let kept = ''
  for (const sentence of sentencesOf(text)) {
    if (kept.length + sentence.length + 1 > lengthMax) break
    kept = kept === '' ? sentence : `${kept} ${sentence}`
  }
  return kept === '' ? `${text.slice(0, text.lastIndexOf(' ', lengthMax - 1))}…` : kept
}

function sentencesOf(text: string): string[] {
  return text.split(/(?<=[.!?]["']?) (?=["']?[A-Z])/)
}
