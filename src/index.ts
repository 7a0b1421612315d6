// `quorate`: a node in this process, from its home.
export { type InitOptions, initHome } from './home/home.ts'
export { type Node, type NodeOptions, startNode } from './node.ts'
