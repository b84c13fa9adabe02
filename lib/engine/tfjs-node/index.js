// danfojs-node asks for @tensorflow/tfjs-node. Answering with the GPU package keeps one native engine in the process.
module.exports = require('@tensorflow/tfjs-node-gpu')
