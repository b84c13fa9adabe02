import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Annotation, formatAnnotations, parseAnnotations } from '../../lib/data/annotations'

const ANNOTATIONS: readonly Annotation[] = [
  {
    path: 'train/a b #1 50%.png',
    boxes: [
      { x1: 0, y1: 1.5, x2: 10, y2: 20.25, label: 0 },
      { x1: 3, y1: 4, x2: 5, y2: 6, label: 7 },
    ],
  },
  { path: '/data/empty.jpg', boxes: [] },
  { path: 'größe.png', boxes: [{ x1: -1, y1: 0, x2: 1e3, y2: 2, label: 2 }] },
]

test('what is written is read back', () => {
  const text = formatAnnotations(ANNOTATIONS)
  assert.equal(
    text,
    'train/a%20b%20%231%2050%25.png 0,1.5,10,20.25,0 3,4,5,6,7\n/data/empty.jpg\ngröße.png -1,0,1000,2,2\n',
  )
  assert.deepEqual(parseAnnotations(text, 'list.txt', 8), ANNOTATIONS)
})

test('comments, empty lines and other line ends are allowed', () => {
  const text = '# frames of one drive\r\n\r\n  a.png 1,2,3,4,0 \r\n\tb.png\t1,2,3,4,1\r\n'
  assert.deepEqual(parseAnnotations(text, 'list.txt', 2), [
    { path: 'a.png', boxes: [{ x1: 1, y1: 2, x2: 3, y2: 4, label: 0 }] },
    { path: 'b.png', boxes: [{ x1: 1, y1: 2, x2: 3, y2: 4, label: 1 }] },
  ])
  assert.deepEqual(parseAnnotations('', 'list.txt', 2), [])
})

test('an error names the file, the line, what was expected and what was found', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['a.png 1,2,3,4', /^Error: list\.txt:2: expected a box as x1,y1,x2,y2,class, found '1,2,3,4'$/],
    ['a.png 1,2,3,4,0,9', /list\.txt:2: .*found '1,2,3,4,0,9'/],
    ['a.png 1,2,x,4,0', /list\.txt:2: .*found '1,2,x,4,0'/],
    ['a.png 1,,3,4,0', /list\.txt:2: .*found '1,,3,4,0'/],
    ['a.png 1,2,Infinity,4,0', /list\.txt:2: .*Infinity/],
    ['a.png 3,2,3,4,0', /list\.txt:2: expected a box with x1 < x2 and y1 < y2, found '3,2,3,4,0'/],
    ['a.png 1,2,3,4,8', /list\.txt:2: expected a class from 0 to 7, found 8/],
    ['a.png 1,2,3,4,-1', /list\.txt:2: expected a class from 0 to 7, found -1/],
    ['a.png 1,2,3,4,0.5', /list\.txt:2: expected a class from 0 to 7, found 0.5/],
    ['with space.png 1,2,3,4,0', /list\.txt:2: .*found 'space.png'/],
    ['50%.png', /list\.txt:2: expected '%' in a path to be written as %25, found '50%.png'/],
    ['first.png', /list\.txt:2: expected every image once, found first\.png again \(first in line 1\)/],
  ]
  for (const [line, message] of wrong) {
    assert.throws(() => parseAnnotations(`first.png\n${line}\n`, 'list.txt', 8), message, line)
  }
})
