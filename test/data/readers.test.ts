import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonErrorAt } from '../../lib/base'
import { TextFile } from '../../lib/data/intake/notation'
import { parseCoco } from '../../lib/data/intake/notations/coco'
import { parseKitti } from '../../lib/data/intake/notations/kitti'
import { parseList } from '../../lib/data/intake/notations/list'
import { parseOpenImages } from '../../lib/data/intake/notations/openimages'
import { parseScalabel } from '../../lib/data/intake/notations/scalabel'
import { parseVoc } from '../../lib/data/intake/notations/voc'
import { parseYolo } from '../../lib/data/intake/notations/yolo'
import { parseYoloData, parseYoloYaml } from '../../lib/data/intake/notations/yolo-config'
import { describeProblem, type Problem } from '../../lib/data/problem'

/** A file of text as the intake hands it to a reader. */
const file = (text: string, name: string) => new TextFile({ path: name, place: name, kind: 'other' }, text)

/** A reader's context; what it leaves out or notes goes to `said`. */
const around = (
  report: (problem: Problem) => void,
  classes: readonly string[] = [],
  said: string[] = [],
) => ({
  classes: () => classes,
  prepared: {},
  vocPixels: 'corners' as const,
  report,
  leaveOut: (rule: string) => said.push(rule),
  note: (rule: string) => said.push(rule),
})

/** Runs a reader and gives its result with the problems that it reported. */
function collect<T>(read: (report: (problem: Problem) => void) => T): { result: T; problems: string[] } {
  const problems: Problem[] = []
  const result = read((problem) => problems.push(problem))
  return { result, problems: problems.map(describeProblem) }
}

const voc = (objects: string) => `<annotation>
  <filename>a.jpg</filename>
  <size><width>60</width><height>40</height></size>
${objects}
</annotation>`
const object = (xmin: string) => `  <object>
    <name>car</name>
    <bndbox>
      <xmin>${xmin}</xmin><ymin>2</ymin>
      <xmax>30</xmax><ymax>40</ymax>
    </bndbox>
  </object>`

test('VOC: corners as written, or the first and last pixel counted from 1', () => {
  const read = (pixels: 'corners' | 'inclusive') =>
    collect((report) => parseVoc(file(voc(object('1')), 'a.xml'), { vocPixels: pixels, report }))
  const corners = read('corners')
  assert.deepEqual(corners.problems, [])
  assert.deepEqual(corners.result?.images[0], {
    image: 'a.jpg',
    width: 60,
    height: 40,
    boxes: [{ x1: 1, y1: 2, x2: 30, y2: 40, name: 'car', line: 4 }],
    refused: 0,
    source: 'a.xml',
    line: 2,
  })
  const box = read('inclusive').result?.images[0]?.boxes?.[0]
  assert.deepEqual([box?.x1, box?.y1, box?.x2, box?.y2], [0, 1, 30, 40])
})

test('VOC: errors name the line of the object or the number', () => {
  const commented = '  <!-- <object> was here -->\n'
  const { result, problems } = collect((report) =>
    parseVoc(
      file(
        voc(`${commented}${object('5')}\n${object('five')}\n  <object><name>car</name></object>`),
        'a.xml',
      ),
      around(report),
    ),
  )
  assert.equal(result?.images[0]?.boxes?.length, 1)
  assert.equal(result?.images[0]?.refused, 2)
  assert.deepEqual(problems, [
    'a.xml:15: syntax: xmin: expected a number, found "five"',
    'a.xml:19: syntax: expected one <bndbox> in <object>, found none',
  ])
})

test('VOC: text that is not an annotation', () => {
  const cut = collect((report) => parseVoc(file('<annotation>\n<object>\n', 'a.xml'), around(report)))
  assert.equal(cut.result, undefined)
  assert.match(cut.problems[0] ?? '', /^a\.xml:\d+: syntax: expected well-formed XML, found: /)
  const other = collect((report) => parseVoc(file('<html><body/></html>', 'a.xml'), around(report)))
  assert.deepEqual(other.problems, ['a.xml:1: syntax: expected an <annotation> element, found <html>'])
})

const coco = (annotation: object) =>
  JSON.stringify({
    images: [{ id: 5, file_name: 'a.jpg', width: 60, height: 40 }],
    annotations: [{ id: 1, image_id: 5, category_id: 9, bbox: [10, 20, 5, 6] }, annotation],
    categories: [
      { id: 9, name: 'light' },
      { id: 2, name: 'car' },
    ],
  })

test('COCO: classes by id; crowd, ignore and a segmentation area are kept', () => {
  const { result, problems } = collect((report) =>
    parseCoco(
      file(
        coco({ image_id: 5, category_id: 2, bbox: [0, 0, 10, 10], area: 60, iscrowd: 1, ignore: 1 }),
        'c.json',
      ),
      around(report),
    ),
  )
  assert.deepEqual(problems, [])
  assert.deepEqual(result?.classes, ['car', 'light'])
  assert.deepEqual(result?.images[0]?.boxes, [
    { x1: 10, y1: 20, x2: 15, y2: 26, name: 'light', key: 'annotations[0].bbox', size: [5, 6] },
    {
      x1: 0,
      y1: 0,
      x2: 10,
      y2: 10,
      name: 'car',
      key: 'annotations[1].bbox',
      crowd: true,
      difficult: true,
      area: 60,
      size: [10, 10],
    },
  ])
})

test('COCO: errors name the key', () => {
  const problems = (annotation: object) =>
    collect((report) => parseCoco(file(coco(annotation), 'c.json'), around(report))).problems
  assert.deepEqual(problems({ image_id: 6, category_id: 2, bbox: [0, 0, 1, 1] }), [
    'c.json:annotations[1].image_id: missing image: expected an id of "images", found 6',
  ])
  assert.deepEqual(problems({ image_id: 5, category_id: 3, bbox: [0, 0, 1, 1] }), [
    'c.json:annotations[1].category_id: unknown class: expected an id of "categories" (2, 9), found 3',
  ])
  assert.deepEqual(problems({ image_id: 5, category_id: 2, bbox: [0, 'x', 1, 1] }), [
    'c.json:annotations[1].bbox[1]: syntax: expected a number, found "x"',
  ])
})

test('invalid JSON is reported with its line', () => {
  const lineOf = (text: string) => {
    const { result, problems } = collect((report) => parseCoco(file(text, 'c.json'), around(report)))
    assert.equal(result, undefined)
    return Number(/^c\.json:(\d+): syntax: expected JSON, found: /.exec(problems.join())?.[1])
  }
  assert.equal(lineOf('{\n "images": [],\n "anno'), 3)
  assert.equal(lineOf('{\n "images": [\n {"width": NaN},\n {}\n ]\n}\n'), 3)
  assert.equal(lineOf('{\n "images": [1,\n 2,\n ]\n, "a": 0\n}\n'), 4)
  assert.equal(lineOf('{\n "a": 1,\n}\n\n'), 3)
  assert.equal(lineOf("{\n 'a': 1\n}\n\n"), 2)
  assert.equal(lineOf('[\n "a\n b"\n]\n'), 2)
})

test('the place where a text stops being JSON', () => {
  const sound = '[{"a": [-1.5e+3, 0, true, false, null, {}, []], "\\u00e9\\"\\n": "x"}, 2]'
  let stillSound = 0
  for (let at = 0; at < sound.length; at++) {
    for (const middle of ['', ...'[]{},:"\\ 0-ntx\n'].flatMap((c) => [c, c + sound[at]])) {
      const text = sound.slice(0, at) + middle + sound.slice(at + 1)
      try {
        JSON.parse(text)
      } catch {
        continue
      }
      stillSound++
      assert.equal(jsonErrorAt(text), text.length, text)
    }
  }
  assert.ok(stillSound > 100)
  // '|' marks the place.
  for (const marked of [
    '|',
    '|]',
    '[1,|]',
    '[|,1]',
    '[1 |2]',
    '[0|1]',
    '[|+1]',
    '[|.5]',
    '[|1.]',
    '[|nul]',
    '[|NaN]',
    '{"a":1,|}',
    '{"a"|,1}',
    '{"a":|}',
    '{|a:1}',
    '{|1:1}',
    '{"a":1|]',
    '[1|}',
    '["a"|:1]',
    '[|"a\nb"]',
    '[|"\\x"]',
    '[|"a]',
    '[1]|]',
    '{} |1',
    '[{"a": [1|',
  ]) {
    const text = marked.replace('|', '')
    assert.throws(() => JSON.parse(text), text)
    assert.equal(jsonErrorAt(text), marked.indexOf('|'), marked)
  }
})

test('YOLO: shares of the image; an empty file has no objects', () => {
  const read = (text: string) =>
    collect((report) => parseYolo(file(text, 'a.txt'), around(report, ['car', 'light'])))
  assert.deepEqual(read('\n1 0.5 0.25 0.5 0.5\n').result.images[0]?.boxes, [
    { x1: 0.25, y1: 0, x2: 0.75, y2: 0.5, name: 'light', line: 2 },
  ])
  assert.deepEqual(read('').result.images[0]?.boxes, [])
  assert.deepEqual(read('0 0.5 0.5 0.1\n2 0.5 0.5 0.1 0.1\n0 0.5 0,5 0.1 0.1').problems, [
    'a.txt:1: syntax: expected 5 fields (class cx cy width height; with a confidence 6; of a polygon 7, 9, ...), found 4: "0 0.5 0.5 0.1"',
    'a.txt:2: unknown class: expected a class of 0 .. 1, found 2',
    'a.txt:3: syntax: cy: expected a number, found "0,5"',
  ])
})

test('YOLO: data.yaml and obj.data', () => {
  const read = (text: string) => collect((report) => parseYoloYaml(text, 'data.yaml', report))
  assert.deepEqual(read('train: images/train\nval: [a, b]\nnames:\n  1: light\n  0: car\n').result, {
    names: ['car', 'light'],
    base: undefined,
    splits: [
      { split: 'train', paths: [{ path: 'images/train', line: 1 }] },
      {
        split: 'validation',
        paths: [
          { path: 'a', line: 2 },
          { path: 'b', line: 2 },
        ],
      },
    ],
  })
  // YAML's own types do not apply to names: the written text counts.
  assert.deepEqual(read('train: x\nnames: [2146, true, no, 1e3, null]\n').result?.names, [
    '2146',
    'true',
    'no',
    '1e3',
    'null',
  ])
  assert.match(read('names: [car\ntrain: x\n').problems[0] ?? '', /^data\.yaml:\d: syntax: expected YAML/)
  assert.match(
    read('names:\n  0: car\n  2: light\n').problems[0] ?? '',
    /expected the keys 0 \.\. 1, found no 1/,
  )
  assert.match(
    read('nc: 3\nnames: [car]\n').problems[0] ?? '',
    /:2:names: .*expected the names of nc = 3 classes, found 1/,
  )
  const data = collect((report) =>
    parseYoloData(file('names = obj.names\nvalid = v.txt\nnonsense', 'obj.data'), report),
  )
  assert.deepEqual(data.result.namesFile, { path: 'obj.names', line: 1 })
  assert.deepEqual(data.result.splits, [{ split: 'validation', paths: [{ path: 'v.txt', line: 2 }] }])
  assert.deepEqual(data.problems, ['obj.data:3: syntax: expected "key = value", found "nonsense"'])
})

test('KITTI: fields 5 to 8; DontCare is left out', () => {
  const said: string[] = []
  const { result, problems } = collect((report) =>
    parseKitti(
      file(
        'Car 0.0 0 1.5 10.5 20 30 40 1 1 1 1 1 1 0\nDontCare -1 -1 -10 0 0 9 9 -1 -1 -1 -1 -1 -1 -1\nCar 1 2\n',
        'k.txt',
      ),
      around(report, [], said),
    ),
  )
  assert.deepEqual(said, ['a DontCare region is not an object'])
  assert.deepEqual(result.images[0]?.boxes, [{ x1: 10.5, y1: 20, x2: 30, y2: 40, name: 'Car', line: 1 }])
  assert.deepEqual(problems, [
    'k.txt:3: syntax: expected 15 fields (type truncated occluded alpha x1 y1 x2 y2 ...), found 3',
  ])
})

test('Scalabel: box2d only, crowd, unlabelled frames, addresses as names', () => {
  const box2d = { x1: 1, y1: 2, x2: 3, y2: 4 }
  const frames = [
    {
      name: 'https://host/val/a.jpg',
      size: { width: 60, height: 40 },
      labels: [{ category: 'car', box2d, attributes: { crowd: true } }, { category: 'lane' }],
    },
    { name: 'b.jpg', labels: null },
    { name: 'c.jpg', labels: [{ category: 'car', box2d: { ...box2d, x2: 'wide' } }] },
  ]
  for (const document of [frames, { frames }]) {
    const { result, problems } = collect((report) =>
      parseScalabel(file(JSON.stringify(document), 's.json'), around(report)),
    )
    const [a, b, c] = result?.images ?? []
    const list = Array.isArray(document) ? '' : 'frames'
    assert.deepEqual([a?.image, a?.width, a?.height], ['a.jpg', 60, 40])
    assert.deepEqual(a?.boxes, [{ ...box2d, name: 'car', key: `${list}[0].labels[0].box2d`, crowd: true }])
    assert.equal(b?.boxes, undefined)
    assert.deepEqual(c?.boxes, [])
    assert.deepEqual(problems, [
      `s.json:${list}[2].labels[0].box2d.x2: syntax: expected a number, found "wide"`,
    ])
  }
})

test('OpenImages: quoted cells and decimal commas; group boxes are crowds', () => {
  const header = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf'
  const read = (rows: string) =>
    collect((report) => parseOpenImages(file(`${header}\n${rows}`, 'o.csv'), around(report)))
  const { result } = read('a.jpg,,car,,"0,5",1,0.25,"0,75",1\nb.jpg,,"a ""big"", car",,0,1,0,1,0')
  assert.deepEqual(result?.images[0]?.boxes, [
    { x1: 0.5, y1: 0.25, x2: 1, y2: 0.75, name: 'car', line: 2, crowd: true },
  ])
  assert.equal(result?.images[1]?.boxes?.[0]?.name, 'a "big", car')
  assert.deepEqual(read('a.jpg,,car,,left,1,0,1,0').problems, [
    'o.csv:2: syntax: XMin: expected a number, found "left"',
  ])
  const other = collect((report) => parseOpenImages(file('ImageID,XMin\n', 'o.csv'), around(report)))
  assert.match(
    other.problems[0] ?? '',
    /^o\.csv:1: syntax: expected the columns .*, found no LabelName, XMax/,
  )
})

test('annotation list: every wrong line is reported and the rest is read', () => {
  const { result, problems } = collect((report) =>
    parseList(
      file('# comment\na.jpg 0,0,10,10,0 5,5,1,9,0\nb%20c.jpg\na.jpg\nd.jpg 0,0,1,1,7', 'l.txt'),
      around(report, ['car']),
    ),
  )
  assert.deepEqual(
    result.images.map(({ image, boxes }) => [image, boxes?.length]),
    [
      ['a.jpg', 2], // the second without area
      ['b c.jpg', 0],
      ['d.jpg', 0],
    ],
  )
  assert.deepEqual(problems, [
    'l.txt:4: duplicate id: expected every image once, found a.jpg again (first in line 2)',
    "l.txt:5: unknown class: expected a class of 0 .. 0, found 7 in '0,0,1,1,7'",
  ])
})
