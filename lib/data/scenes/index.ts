export { renderScene, type Scene, type SceneOptions } from './render'
export { SCENE_CLASSES, type SceneClass, type SceneStyle } from './style'
