import { expect, test } from 'vitest'
import { labelsText, typedLabels, typedValue, valueText } from './config-text.ts'

test('a value is typed as JSON, or else is the text itself, and is shown as JSON', () => {
  expect(typedValue('10')).toBe(10)
  expect(typedValue('"10"')).toBe('10')
  expect(typedValue('{"a":[1]}')).toEqual({ a: [1] })
  expect(typedValue('north west')).toBe('north west')
  expect(valueText({ isSecret: false, value: 'north' })).toBe('"north"')
  expect(valueText(undefined)).toBe('')
})

test('a secret is dots, however long it is', () => {
  expect(valueText({ isSecret: true, key: 'k1' })).toBe('••••••')
})

test('labels are read as they are shown, and what is not of their form is refused', () => {
  const labels = { zone: 'north', disk: 'ssd' }
  expect(typedLabels(labelsText(labels))).toEqual(labels)
  expect(typedLabels('url=a=b')).toEqual({ url: 'a=b' })
  expect(typedLabels(' ')).toEqual({})
  expect(typedLabels('zone')).toBeUndefined()
})
