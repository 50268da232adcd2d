"""How a user of each library asks for it.

One module a question, one function a library.  `gradients`: a loss and its gradients; `descent`: a training step;
`second_order`: Hessian products, Hessians, Jacobians; `layers`: a training step with the library's own layers.
"""
