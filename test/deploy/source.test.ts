import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { encodePng, type RgbImage } from '../../lib/data'
import { openSource, type Source } from '../../lib/deploy/detect'
import { readPpm } from '../../lib/deploy/detect/video'

const folder = mkdtempSync(path.join(tmpdir(), 'source-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...names: string[]) => path.join(folder, ...names)

const image = (width: number, height: number, value = 7): RgbImage => ({
  ...{ width, height, pixels: new Uint8Array(3 * width * height).fill(value) },
})
const png = encodePng(image(4, 2))

async function write(...places: string[]): Promise<void> {
  for (const place of places) {
    mkdirSync(path.dirname(at(place)), { recursive: true })
    writeFileSync(at(place), await png)
  }
}

async function namesIn({ images }: Source): Promise<[string, string][]> {
  const names: [string, string][] = []
  for await (const { name, place } of images) names.push([name, place])
  return names
}

test('a folder of images: all below it, under names that are words of their own', async () => {
  await write('plain/a.png', 'plain/deep/a.png', 'plain/deep/b.webp', 'plain/deep_b.png')
  const source = await openSource([at('plain')])
  assert.deepEqual([source.title, source.total, source.classes], ['plain', 4, undefined])
  assert.deepEqual(await namesIn(source), [
    ['a', 'a.png'],
    ['deep_a', 'deep/a.png'],
    ['deep_b', 'deep/b.webp'],
    ['deep_b_2', 'deep_b.png'],
  ])
})

test('names of images in deep folders are short enough for files of their own, and different', async () => {
  const deep = ['ü'.repeat(60), 'b'.repeat(120)].join('/')
  await write(`deep/1/${deep}/frame_1.png`, `deep/2/${deep}/frame_1.png`, `deep/2/${deep}/frame_2.png`)
  const names = (await namesIn(await openSource([at('deep')]))).map(([name]) => name)
  assert.equal(new Set(names).size, 3)
  for (const name of names) {
    assert.ok(Buffer.byteLength(`${name}.jpg`) <= 255)
    assert.match(name, /^ü+_b+_frame_[12](_2)?$/)
  }
})

test('files and patterns: each once, placed below the folder that they share', async () => {
  await write('frames/1/a.png', 'frames/1/b.png', 'frames/2/a.png')
  writeFileSync(at('frames/1/note.txt'), '')
  const source = await openSource([at('frames/**/a.png'), at('frames/1/a.png'), at('frames/1/b.png')])
  assert.deepEqual(
    (await namesIn(source)).map(([, place]) => place),
    ['1/a.png', '2/a.png', '1/b.png'],
  )
  assert.equal((await openSource([at('frames/2/*.png')])).title, 'a.png')
  const single = await openSource([at('frames/1/a.png')])
  assert.deepEqual([single.title, await namesIn(single)], ['a.png', [['a', 'a.png']]])
  const { value } = await (await openSource([at('frames/1/a.png')])).images[Symbol.asyncIterator]().next()
  assert.deepEqual(await value.load(), { ...image(4, 2), pixels: Buffer.from(image(4, 2).pixels) })
})

test('a folder that holds more than images is a data set; its problems are told and its sound images looked at', async () => {
  await write('set/images/val/a.png', 'set/images/val/b.png', 'set/images/train/c.png')
  for (const name of ['val/a', 'train/c']) {
    mkdirSync(path.dirname(at(`set/labels/${name}.txt`)), { recursive: true })
    writeFileSync(at(`set/labels/${name}.txt`), '0 0.5 0.5 0.5 0.5\n')
  }
  writeFileSync(at('set/labels/val/b.txt'), '7 0.5 0.5 0.5 0.5\n')
  writeFileSync(at('set/data.yaml'), 'path: .\ntrain: images/train\nval: images/val\nnames: [car]\n')
  const source = await openSource([at('set')], { split: 'validation' })
  assert.deepEqual([source.classes, source.total], [['car'], 2])
  const truths: unknown[] = []
  for await (const { truths: boxes } of source.images) truths.push(boxes)
  assert.deepEqual(truths, [[{ x1: 1, y1: 0.5, x2: 3, y2: 1.5, label: 0 }], []])
  assert.equal(source.problems.length, 1)
  assert.match(source.problems[0]!, /b\.txt:1: unknown class/)
  const plain = await openSource([at('set')], { labels: false })
  assert.deepEqual([plain.classes, plain.total], [undefined, 3])
  await assert.rejects(
    openSource([at('set')], { split: 'test' }),
    /images of the split test, found those of train, validation/,
  )
})

test('what is no data set says how its images are taken alone', async () => {
  await write('odd/a.png')
  writeFileSync(at('odd/labels.json'), '{"what": 1}')
  await assert.rejects(openSource([at('odd')]), /With --no-labels the images are taken and nothing else/)
  assert.equal((await openSource([at('odd')], { labels: false })).total, 1)
})

test('what cannot be looked at is refused with what was expected', async () => {
  mkdirSync(at('empty'))
  await write('plain2/a.png')
  writeFileSync(at('plain2/b.bmp'), '')
  const refused = (words: readonly string[], message: RegExp) => assert.rejects(openSource(words), message)
  await refused([], /expected an image, a folder, a pattern or a video, found none/)
  await refused([at('nothing')], /nothing: expected an image, a folder, a pattern or a video, found nothing/)
  await refused([at('empty')], /empty: expected a folder with images \(JPEG, .*\), found an empty one/)
  await refused([at('empty/*.png')], /found no file that fits it/)
  await refused([at('plain2'), at('plain2/a.png')], /expected one folder alone, or files/)
  writeFileSync(at('drive.mp4'), '')
  await refused([at('drive.mp4'), at('plain2/a.png')], /drive\.mp4: expected one video alone, or images/)
  await refused([at('plain2/b.bmp')], /b\.bmp: expected JPEG, .* found an image of another type; convert it/)
  writeFileSync(at('text.txt'), '')
  await refused(
    [at('text.txt')],
    /text\.txt: expected an image \(.*\) or a video, found another type of file/,
  )
  const { problems } = await openSource([at('plain2')])
  assert.match(problems.join(), /b\.bmp: expected JPEG/)
})

function withFfmpeg<T>(program: string, work: () => Promise<T>): Promise<T> {
  process.env.FFMPEG = program
  return work().finally(() => {
    delete process.env.FFMPEG
  })
}

test('a video without ffmpeg says what is missing and how it is had', async () => {
  writeFileSync(at('a.mp4'), '')
  await withFfmpeg(at('no-such-program'), () =>
    assert.rejects(
      openSource([at('a.mp4')]),
      /ffmpeg, which decodes videos, is missing: install it .*FFMPEG/,
    ),
  )
})

const REAL = process.env.FFMPEG ?? 'ffmpeg'
const isThere = spawnSync(REAL, ['-version']).status === 0

test(
  'the frames of a video',
  { skip: isThere ? false : 'no ffmpeg (sudo apt-get install -y ffmpeg)' },
  async () => {
    const made = spawnSync(REAL, [
      ...['-v', 'error', '-f', 'lavfi', '-i', 'color=red:size=64x32:rate=10:duration=1'],
      ...['-f', 'lavfi', '-i', 'color=blue:size=64x32:rate=10:duration=1'],
      ...['-filter_complex', '[0][1]concat=n=2', '-c:v', 'ffv1', at('b.mkv')],
    ])
    assert.equal(made.status, 0, String(made.stderr))
    const looked = async (fps?: number) =>
      withFfmpeg(REAL, async () => {
        const source = await openSource([at('b.mkv')], fps === undefined ? {} : { fps })
        const colours: string[] = []
        for await (const { name, load } of source.images) {
          const { width, height, pixels } = await load()
          assert.deepEqual(
            [width, height, name],
            [64, 32, `frame-${String(colours.length + 1).padStart(6, '0')}`],
          )
          colours.push(pixels[0]! > 200 ? 'red' : pixels[2]! > 200 ? 'blue' : 'other')
        }
        return { total: source.total, colours: colours.join(' ') }
      })
    const ten = (colour: string) => Array(10).fill(colour).join(' ')
    assert.deepEqual(await looked(), { total: 20, colours: `${ten('red')} ${ten('blue')}` })
    assert.deepEqual(await looked(1), { total: 2, colours: 'red blue' })
    writeFileSync(at('no.mp4'), 'no video')
    await withFfmpeg(REAL, () =>
      assert.rejects(openSource([at('no.mp4')]), /no\.mp4: expected a video that ffmpeg can decode/),
    )
  },
)

test('frames are asked of ffmpeg as they are needed, and it is ended when nobody asks any more', async () => {
  // Another program in its place: it tells a length, then gives frames without end.
  const program = at('ffmpeg.cjs')
  writeFileSync(
    program,
    `#!/usr/bin/env node
if (!process.argv.includes('ppm')) {
  console.error('  Duration: 00:00:02.00, start\\n  Stream #0: Video: raw, 2x1, 4 fps, 4 tbr')
  process.exit(1)
}
const give = () => process.stdout.write('P6\\n2 1\\n255\\nabcdef', give)
give()
`,
  )
  chmodSync(program, 0o755)
  await withFfmpeg(program, async () => {
    writeFileSync(at('c.avi'), '')
    const { total, images } = await openSource([at('c.avi')])
    assert.equal(total, 8)
    let count = 0
    for await (const { load } of images) {
      assert.equal(Buffer.from((await load()).pixels).toString(), 'abcdef')
      if (++count === 3) break
    }
  })
})

test('PPM images are taken apart wherever the stream is cut, and one that is cut off is an error', async () => {
  const one = (value: number) => Buffer.concat([Buffer.from('P6\n3 2\n255\n'), Buffer.alloc(18, value)])
  const whole = Buffer.concat([one(1), one(2), one(3)])
  async function* cut(size: number, end = whole.length) {
    for (let from = 0; from < end; from += size) yield whole.subarray(from, Math.min(from + size, end))
  }
  for (const size of [1, 5, 29, 30, whole.length]) {
    const values: number[] = []
    for await (const { width, height, pixels } of readPpm(cut(size))) {
      assert.deepEqual([width, height, pixels.length], [3, 2, 18])
      values.push(pixels[17]!)
    }
    assert.deepEqual(values, [1, 2, 3], `in pieces of ${size}`)
  }
  const broken = async () => {
    for await (const _ of readPpm(cut(7, whole.length - 1)));
  }
  await assert.rejects(broken(), /28 bytes of one that is cut off/)
})
