"""PyTorch's graphs in our picture; PyTorch itself is the judge of every number."""

import numpy as np
import pytest

import autograd_core as ag
import nn
from autograd_core.pictures.numbers import norm_of

torch = pytest.importorskip("torch", reason="PyTorch's own Tensors are drawn here")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.bn, self.last = torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.last(torch.dropout(torch.relu(self.bn(self.first(x))), 0.5, True))


def by_name(picture):
    return {v.name: v for v in picture.graph.vertices if v.name}


def test_gradients_are_those_of_backward():
    torch.manual_seed(0)
    model, x = Net(), torch.randn(5, 3)
    loss = torch.nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 0, 1, 1]))
    drawn = by_name(ag.draw(loss, params=model))
    assert all(p.grad is None for p in model.parameters())
    loss.backward()  # the graph is still whole
    for name, p in model.named_parameters():
        assert drawn[name].role == "parameter"
        assert drawn[name].shape == tuple(p.shape)
        assert norm_of(drawn[name].gradient) == pytest.approx(p.grad.norm().item(), rel=1e-5, abs=1e-6)
    assert drawn["loss"].role == "output"
    assert drawn["x"].role == "input"


def test_flows_and_order():
    x = torch.tensor([0.5, -1.0], requires_grad=True)
    y = torch.tanh(x)
    loss = (y * y + torch.exp(x)).sum()
    picture = ag.draw(loss)
    graph = picture.graph
    ops = [v.op for v in graph.vertices if v.role == "operation"]
    assert ops == ["tanh", "multiply", "exp", "add", "sum"]
    k = ops.index("tanh") + 1
    tanh = graph.vertices[k]
    np.testing.assert_allclose(
        tanh.value.raw if hasattr(tanh.value, "raw") else norm_of(tanh.value), norm_of(tanh.value)
    )
    assert norm_of(tanh.gradient) == pytest.approx(torch.linalg.norm(2 * y).item(), rel=1e-6)
    flows = [e.flow for e in graph.edges if graph.vertices[e.source].name == "x"]
    assert len(flows) == 2
    assert [graph.vertices[k].op for k in graph.backward] == ["sum", "add", "exp", "multiply", "tanh"]


def test_a_module_is_left_as_it_was():
    torch.manual_seed(3)
    model, x = Net(), torch.randn(5, 3)
    earlier = model(x).sum()
    buffers, state = {k: b.clone() for k, b in model.named_buffers()}, torch.random.get_rng_state()
    picture = ag.draw(model, x)
    assert all(torch.equal(b, buffers[k]) for k, b in model.named_buffers())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    earlier.backward()
    paths = {v.op: v.path for v in picture.graph.vertices if v.role == "operation"}
    assert paths["batch_norm"] == ("Net", "bn")
    assert paths["relu"] == ("Net",)
    assert paths["addmm"] == ("Net", "last")
    assert by_name(picture)["x"].role == "input"


def test_the_same_network_has_the_same_numbers_in_both():
    ours = nn.MLP([3, 4, 1], "tanh", rng=0)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    with torch.no_grad():
        for p, q in zip(theirs.parameters(), ours.parameters(), strict=True):
            p.copy_(torch.from_numpy(q.data))
    x, y = np.random.default_rng(0).normal(size=(6, 3)), np.ones((6, 1))
    a = ag.draw(nn.mse(ours(x), y), params=ours)
    b = ag.draw(torch.nn.functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y)), params=theirs)
    for name, v in by_name(a).items():
        if v.role == "parameter":
            assert norm_of(by_name(b)[name].gradient) == pytest.approx(norm_of(v.gradient), rel=1e-12)


def test_a_freed_graph_is_refused():
    x = torch.ones(3, requires_grad=True)
    loss = torch.sum(x * torch.exp(x))
    loss.backward()
    before = x.grad.clone()
    with pytest.raises(TypeError, match="retain_graph=True"):
        ag.draw(loss)
    assert torch.equal(x.grad, before)


def test_without_a_gradient_there_is_no_graph():
    with pytest.raises(TypeError, match="requires a gradient"):
        ag.draw(torch.ones(3).sum())
    with pytest.raises(TypeError, match="no further arguments"):
        ag.draw(torch.ones(3, requires_grad=True).sum(), 3)


def test_an_argument_is_an_input_whether_it_needs_a_gradient_or_not():
    layer = torch.nn.Linear(3, 2)
    for x in (torch.ones(4, 3), torch.ones(4, 3, requires_grad=True)):
        assert by_name(ag.draw(layer, x))["input"].role == "input"  # as `forward` calls it
    assert by_name(ag.draw(layer, np.ones((4, 3), np.float32)))["input"].role == "input"


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (torch.nn.LSTM(3, 4), (5, 2, 3)),
        (torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.MaxPool2d(2), torch.nn.Flatten()), (2, 1, 8, 8)),
        (torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    ],
)
def test_modules_of_all_kinds(module, shape):
    picture = ag.draw(module, torch.randn(*shape))
    drawn = {v.name for v in picture.graph.vertices if v.role == "parameter"}
    assert drawn == {name for name, _ in module.named_parameters()}
    assert picture.to_dot()
    assert picture.backward().to_dot()


def test_numbers_and_conjugates():
    w = torch.tensor([-1.0, 1.0], requires_grad=True)
    assert "multiply(w, 3)" in ag.draw((w * 3).sum()).text()
    z = torch.tensor([1 + 2j, 3.0], requires_grad=True)
    picture = ag.draw((z * z.conj()).real.sum())
    assert norm_of(by_name(picture)["z"].gradient) == pytest.approx(2 * torch.linalg.norm(z).item(), rel=1e-6)


def test_every_format(tmp_path):
    picture = ag.draw(Net(), torch.randn(4, 3))
    for suffix in ("dot", "json", "html", "txt"):
        picture.save(tmp_path / f"p.{suffix}")
    assert "batch_norm" in picture.text()
    assert "∂" in picture.backward().to_dot()


def test_half_precision_and_several_results():
    x = torch.randn(4, 6, dtype=torch.bfloat16, requires_grad=True)
    values, _ = torch.max(x, dim=1)
    a, b = torch.split(values, 2)
    picture = ag.draw((a * b).sum())
    assert {v.op for v in picture.graph.vertices if v.op} >= {"max", "split", "multiply", "sum"}


def test_inputs_that_are_no_tensors_are_left_alone():
    w = torch.ones(3, requires_grad=True)
    assert by_name(ag.draw((w * w).sum(), inputs={"x": np.ones(3)}))["w"].role == "parameter"
