import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDataset } from '../../lib/data'
import { datasetPage } from '../../lib/report'
import { coco, folderOf, LINE, png } from '../data/sets/small'

test('the page of a data set has its bars, pictures, problems and duplicates, and is self-contained', async () => {
  const image = await png()
  const folder = await folderOf({
    'images/train/a.png': 'image',
    'images/train/b.png': 'image',
    'images/train/twin.png': image,
    'images/val/first.png': image,
    'labels/train/a.txt': LINE,
    'labels/train/b.txt': '1 0.5 0.5 0.25 0.5\n0 32 24 16 24\n',
    'labels/train/twin.txt': LINE,
    'labels/val/first.txt': LINE,
    'classes.txt': 'car\n<script>alert(1)</script>\n',
  })
  const report = await checkDataset(folder)
  const lost = [{ split: 'train' as const, class: 'car', boxes: 3, cropped: 3, small: 0 }]
  const page = await datasetPage({
    name: 'set & <b>',
    report,
    profile: { name: 'mine', lost, limits: ['few'] },
  })
  assert.doesNotMatch(page, /<script|<b>set|src="http|href="http|url\(/)
  assert.match(page, /<h1>set &amp; &lt;b&gt;<\/h1>/)
  assert.match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/)
  assert.match(page, /read as YOLO: 4 images with 5 boxes from 4 files/)
  assert.match(page, /train: the crop removes all 3 boxes of car/)
  assert.match(page, /outside image: expected a box within 0 \.\. 64/)
  // Four images, two with problems drawn again, and the pair.
  assert.equal(page.match(/<figure>/g)?.length, 4 + 1 + 2)
  assert.equal(page.match(/data:image\/png;base64,/g)?.length, 4 + 1 + 2)
  assert.match(page, /class="pair"[\s\S]*train · train\/twin[\s\S]*validation · val\/first/)
})

test('an image that cannot be drawn is reported as such', async () => {
  const folder = await folderOf({
    'images/a.png': (await png()).subarray(0, 120),
    'images/b.png': 'image',
    'annotations/instances_train.json': coco(['a.png', 'b.png']),
  })
  const page = await datasetPage({ name: 'cut', report: await checkDataset(folder) })
  assert.match(page, /cannot be drawn[\s\S]*corrupt image/)
})
