import { type GraphNode, type Pass, results } from '../graph'

/** Drops the nodes that no result of the graph depends on. */
export const dropUnused: Pass = (graph) => {
  const wanted = new Set(results(graph).map(({ node }) => node))
  const kept: GraphNode[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!wanted.has(node.name)) continue
    kept.push(node)
    for (const input of node.inputs) wanted.add(input.node)
  }
  return { ...graph, nodes: kept.reverse() }
}
