export { tf } from './native'
