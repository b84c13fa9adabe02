/** The part of tfjs-node's generated protocol-buffer classes (TensorFlow's own .proto files) that this library uses. */
declare module '@tensorflow/tfjs-node-gpu/dist/proto/api_pb' {
  interface Message {
    serializeBinary(): Uint8Array
  }
  class TensorShape implements Message {
    serializeBinary(): Uint8Array
    setDimList(dimensions: TensorShape.Dim[]): void
  }
  namespace TensorShape {
    class Dim implements Message {
      serializeBinary(): Uint8Array
      setSize(size: number): void
    }
  }
  class Tensor implements Message {
    serializeBinary(): Uint8Array
    setDtype(dtype: number): void
    setTensorShape(shape: TensorShape): void
    setTensorContent(bytes: Uint8Array): void
  }
  class AttrValue implements Message {
    serializeBinary(): Uint8Array
    setS(bytes: Uint8Array): void
    setI(value: number): void
    setF(value: number): void
    setB(value: boolean): void
    setType(value: number): void
    setShape(value: TensorShape): void
    setTensor(value: Tensor): void
    setList(value: AttrValue.ListValue): void
  }
  namespace AttrValue {
    class ListValue implements Message {
      serializeBinary(): Uint8Array
      setIList(values: number[]): void
      setFList(values: number[]): void
    }
  }
  class NodeDef implements Message {
    serializeBinary(): Uint8Array
    setName(name: string): void
    setOp(operation: string): void
    setInputList(inputs: string[]): void
    getAttrMap(): MessageMap<AttrValue>
  }
  /** A map whose values are messages. */
  interface MessageMap<T> {
    set(name: string, value: T): void
  }
  class TensorInfo implements Message {
    serializeBinary(): Uint8Array
    setName(name: string): void
    setDtype(dtype: number): void
    setTensorShape(shape: TensorShape): void
  }
  class SignatureDef implements Message {
    serializeBinary(): Uint8Array
    setMethodName(name: string): void
    getInputsMap(): MessageMap<TensorInfo>
    getOutputsMap(): MessageMap<TensorInfo>
  }
  class VersionDef implements Message {
    serializeBinary(): Uint8Array
    setProducer(version: number): void
  }
  class GraphDef implements Message {
    serializeBinary(): Uint8Array
    setNodeList(nodes: NodeDef[]): void
    setVersions(versions: VersionDef): void
  }
  class MetaGraphDef implements Message {
    serializeBinary(): Uint8Array
    setMetaInfoDef(info: MetaGraphDef.MetaInfoDef): void
    setGraphDef(graph: GraphDef): void
    getSignatureDefMap(): MessageMap<SignatureDef>
  }
  namespace MetaGraphDef {
    class MetaInfoDef implements Message {
      serializeBinary(): Uint8Array
      setTagsList(tags: string[]): void
    }
  }
  class SavedModel implements Message {
    serializeBinary(): Uint8Array
    setSavedModelSchemaVersion(version: number): void
    setMetaGraphsList(graphs: MetaGraphDef[]): void
  }
}
