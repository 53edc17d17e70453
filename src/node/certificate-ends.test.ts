import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasOpenssl, TestAuthority } from '../world/certificates.test-support.ts'
import { certificateEnds, wallMsOf } from './certificate-ends.ts'

describe('the files of certificates', () => {
  let folder = ''
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs, wallMs: () => 0 }
  const file = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const problemOf = (path: string): string | undefined =>
    certificateEnds(clock, [path])().unreadableCertificates?.[0]?.problem

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'althing-certificates-'))
    nowMs = 0
  })

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  test('are none where none are named', () => {
    expect(certificateEnds(clock, [undefined])()).toEqual({})
  })

  test('that cannot be read or parsed are named, each with what is wrong', () => {
    const body = `-----BEGIN CERTIFICATE-----\n${Buffer.from('nothing').toString('base64')}\n-----END CERTIFICATE-----\n`
    mkdirSync(join(folder, 'folder'))
    expect(problemOf(join(folder, 'absent.pem'))).toMatch(/ENOENT/)
    expect(problemOf(join(folder, 'folder'))).toMatch(/EISDIR/)
    expect(problemOf(file('empty.pem', ''))).toBe('it holds no certificate in PEM')
    expect(problemOf(file('half.pem', body.slice(0, 40)))).toBe('it ends within a certificate')
    expect(problemOf(file('garbage.pem', body))).toMatch(/./)
    expect(problemOf(join(folder, 'a'.repeat(1_000)))).toHaveLength(200)
  })

  test.skipIf(!hasOpenssl)(
    'say when the first certificate of each ends, beside those that are unreadable',
    () => {
      const { caFile } = new TestAuthority(folder)
      const absent = join(folder, 'absent.pem')
      const { certificates, unreadableCertificates } = certificateEnds(clock, [caFile, absent, caFile])()
      expect(certificates?.map((each) => each.file)).toEqual([caFile])
      expect(certificates?.[0]?.endsWallMs).toBeGreaterThan(wallMsOf('Jan  1 00:00:00 2020 GMT'))
      expect(unreadableCertificates?.map((each) => each.file)).toEqual([absent])
      const pem = readFileSync(caFile, 'utf8')
      expect(problemOf(file('second-half.pem', `${pem}${pem.slice(0, 100)}`))).toBe(
        'it ends within a certificate',
      )
    },
  )

  test.skipIf(!hasOpenssl)(
    'are read again soon while one is unreadable, and after a minute otherwise',
    () => {
      const { caFile } = new TestAuthority(folder)
      const pem = readFileSync(caFile, 'utf8')
      const path = file('node.pem', pem.slice(0, 100))
      const ends = certificateEnds(clock, [path])
      expect(ends().unreadableCertificates).toHaveLength(1)
      writeFileSync(path, pem)
      nowMs = 4_999
      expect(ends().unreadableCertificates).toHaveLength(1)
      nowMs = 5_000
      expect(ends()).toEqual({ certificates: [{ file: path, endsWallMs: expect.any(Number) }] })
      writeFileSync(path, '')
      nowMs = 64_999
      expect(ends().unreadableCertificates).toBeUndefined()
      nowMs = 65_000
      expect(ends()).toEqual({
        certificates: [],
        unreadableCertificates: [{ file: path, problem: 'it holds no certificate in PEM' }],
      })
    },
  )
})

test.each([
  ['Jan  1 00:00:00 1970 GMT', 0],
  ['Feb 29 12:00:00 2024 GMT', 1_709_208_000_000],
  ['Mar  1 00:00:00 2024 GMT', 1_709_251_200_000],
  ['Dec 31 23:59:59 2099 GMT', 4_102_444_799_000],
])('the end of a certificate, %s, is %i', (text, wallMs) => {
  expect(wallMsOf(text)).toBe(wallMs)
})

test('another form of time is refused', () => {
  expect(() => wallMsOf('2026-11-21')).toThrow(/validTo/)
})
