import type { NamedSample, Writer } from './writer'

/** annotations/instances_(split).json; the difficult flag is written as `ignore`. */
export const coco: Writer = {
  name: 'coco',
  validation: 'validation',
  keeps: ['difficult', 'crowd', 'area'],
  images: (folder) => `images/${folder}`,
  *write(splits, classes) {
    for (const { folder, samples } of splits)
      yield [`annotations/instances_${folder}.json`, cocoText(samples, classes, `images/${folder}/`)]
  },
}

/** File names are relative to the split's folder of images or, for images elsewhere, to the folder of the annotations. */
function cocoText(samples: readonly NamedSample[], classes: readonly string[], home: string): string {
  const images = samples.map(({ sample, image }, i) => ({
    id: i + 1,
    file_name: image.startsWith(home) ? image.slice(home.length) : `../${image}`,
    width: sample.width,
    height: sample.height,
  }))
  const annotations = samples.flatMap(({ sample }, i) =>
    (sample.boxes ?? []).map((box) => {
      const [width, height] = [box.x2 - box.x1, box.y2 - box.y1]
      return {
        image_id: i + 1,
        category_id: box.label + 1,
        bbox: [box.x1, box.y1, width, height],
        area: box.area ?? width * height,
        iscrowd: box.crowd ? 1 : 0,
        ...(box.difficult ? { ignore: 1 } : {}),
      }
    }),
  )
  return JSON.stringify({
    images,
    annotations: annotations.map((annotation, i) => ({ id: i + 1, ...annotation })),
    categories: classes.map((name, i) => ({ id: i + 1, name })),
  })
}
