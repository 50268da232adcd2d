import copy
import pickle

import numpy as np
import pytest

import autograd_core as ag
import nn


class Branches(nn.Module):
    """One of everything that can hold a parameter."""

    def __init__(self):
        self.scale = ag.Tensor(2.0)
        self.count = 3
        self.first = nn.Linear(2, 2, rng=0)
        self.many = [nn.Linear(2, 2, rng=1), {"deep": (np.tanh, ag.Tensor([1.0, 2.0]))}]
        self.mean = ag.Tensor([0.0, 0.0], requires_grad=False)

    def forward(self, x):
        x = self.first(x) * self.scale - self.mean
        return self.many[0](x) + self.many[1]["deep"][1]


NAMES = ["scale", "first.weight", "first.bias", "many.0.weight", "many.0.bias", "many.1.deep.1"]


class Tied(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Linear(2, 2, rng=0), nn.Linear(2, 2, bias=False, rng=1)
        self.b.weight = self.a.weight
        self.again = self.a

    def forward(self, x):
        return self.again(self.b(self.a(x)))


def state_of(model):
    return {name: p.data.copy() for name, p in model.named_parameters()}


# --- walking ----------------------------------------------------------------------------------------------------------


def test_parameters_are_found_wherever_they_are():
    model = Branches()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [p is q for p, (_, q) in zip(model.parameters(), model.named_parameters(), strict=True)] == [True] * 6
    assert model.num_parameters() == 1 + 4 + 2 + 4 + 2 + 2
    assert list(model.modules()) == [model, model.first, model.many[0]]


def test_every_parameter_gets_a_gradient():
    model = Branches()
    np.sum(model(np.ones((3, 2)))).backward()
    assert all(np.shape(p.grad) == p.shape for p in model.parameters())


def test_results_and_untracked_tensors_are_no_parameters():
    model = nn.Linear(2, 2, rng=0)
    model.cache = model(np.ones(2))
    model.bias.requires_grad = False
    assert [name for name, _ in model.named_parameters()] == ["weight"]
    assert list(model.state_dict()) == ["weight", "bias"]


def test_what_is_shared_comes_once():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias"]
    assert list(model.modules()) == [model, model.a, model.b]
    assert model.num_parameters() == 6
    model(np.ones((3, 2))).sum().backward()
    assert model.a.weight.grad.shape == (2, 2)


def test_circles_end():
    model = nn.Sequential(nn.Linear(2, 2, rng=0))
    model.layers[0].above = model
    model.layers[0].bag = bag = [model]
    bag.append(bag)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert len(list(model.modules())) == 2
    assert "shared" in repr(model)


def test_many_owners_of_one_part_are_walked_in_linear_time():
    part = nn.Linear(1, 1, rng=0)
    for _ in range(60):  # 2**60 paths lead to the layer
        part = nn.Sequential(part, part)
    assert len(list(part.modules())) == 61
    assert part.num_parameters() == 2


# --- calling ----------------------------------------------------------------------------------------------------------


class Spy(nn.Module):
    def __init__(self, *, inside=None):
        self.inside = inside

    def forward(self, x, *, times=1):
        y = x * times
        self.scope = y.scope
        return y if self.inside is None else self.inside(y)


def test_a_call_enters_the_scope_of_its_name():
    x = ag.Tensor([1.0])
    spies = [Spy() for _ in range(4)]
    top = Spy(inside=nn.Sequential(spies[0], Spy(inside=spies[1])))
    top.others = {"left": spies[2]}
    top(x, times=2)
    assert top.scope == ("Spy",)
    assert spies[0].scope == ("Spy", "inside", "0")
    assert spies[1].scope == ("Spy", "inside", "1", "inside")
    spies[2](x)
    assert spies[2].scope == ("others.left",)
    spies[3](x)
    assert spies[3].scope == ("Spy",)
    assert (x * 2).scope == ()


def test_a_part_that_comes_later_is_named_when_the_model_is_walked():
    x, spy = ag.Tensor([1.0]), Spy()
    top = Spy()
    top(x)
    top.inside = spy
    list(top.parameters())
    top(x)
    assert spy.scope == ("Spy", "inside")


def test_a_scope_is_left_when_forward_raises():
    with pytest.raises(ValueError, match="needs x of shape"):
        nn.MLP([2, 3, 1], rng=0)(np.ones((4, 3)))
    assert (ag.Tensor(1.0) * 2).scope == ()


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty needs a method forward"):
        Empty()(1.0)


def test_training_and_evaluation():
    model = Branches()
    assert model.training
    assert model.first.training
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    model.train()
    assert all(m.training for m in model.modules())
    assert nn.Module.training is True


# --- state ------------------------------------------------------------------------------------------------------------


def test_state_goes_out_and_in():
    model, other = Branches(), Branches()
    for p in model.parameters():
        p.assign(np.asarray(p.data) + 1)
    model.mean.assign([5.0, 6.0])
    state = model.state_dict()
    assert list(state) == [*NAMES, "mean"]
    assert all(type(v) is np.ndarray for v in state.values())
    assert other.load_state_dict(state) is other
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    x = np.ones((3, 2))
    np.testing.assert_array_equal(model(x).data, other(x).data)


def test_state_is_a_copy():
    model = nn.Linear(2, 2, rng=0)
    state = model.state_dict()
    before = state_of(model)
    state["weight"][:] = 7
    np.testing.assert_array_equal(model.weight.data, before["weight"])
    model.load_state_dict(state)
    state["weight"][:] = 8
    assert np.all(model.weight.data == 7)


def test_loading_keeps_the_dtype_and_takes_tensors_and_lists():
    model = nn.Linear(2, 1, rng=0, dtype=np.float32)
    model.load_state_dict({"weight": ag.Tensor([[1.0, 2.0]]), "bias": [3]})
    assert model.weight.dtype == model.bias.dtype == np.float32
    np.testing.assert_array_equal(model.weight.data, [[1, 2]])
    np.testing.assert_array_equal(model.bias.data, [3])


BAD = {
    "missing": (lambda s: s.pop("first.bias"), "first.bias is missing"),
    "unknown": (lambda s: s.update({"last.bias": np.zeros(2)}), "last.bias is not in the model"),
    "shape": (
        lambda s: s.update({"many.0.weight": np.zeros((2, 1))}),
        r"many.0.weight has shape \(2, 1\), expected \(2, 2\)",
    ),
    "transposable": (lambda s: s.update({"scale": np.zeros(1)}), r"scale has shape \(1,\), expected \(\)"),
    "complex": (
        lambda s: s.update({"first.bias": np.zeros(2, complex)}),
        "first.bias has dtype complex128, expected float64",
    ),
    "text": (lambda s: s.update({"first.bias": np.array(["a", "b"])}), "first.bias has dtype <U1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_state_that_does_not_fit_changes_nothing(kind):
    spoil, message = BAD[kind]
    model = Branches()
    before = state_of(model)
    state = {name: v + 1 for name, v in model.state_dict().items()}
    spoil(state)
    with pytest.raises(ValueError, match=f"the state does not fit Branches: .*{message}"):
        model.load_state_dict(state)
    for name, value in state_of(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_all_that_does_not_fit_is_said_at_once():
    with pytest.raises(
        ValueError, match=r"0.weight is missing; .*2.bias is missing; a is not .*; d is not in the model; and 2 more"
    ):
        nn.MLP([2, 3, 1], rng=0).load_state_dict(dict.fromkeys("abcdef", 0.0))


def test_a_shared_parameter_has_every_name_and_one_value():
    model = Tied()
    state = model.state_dict()
    assert list(state) == ["a.weight", "a.bias", "b.weight", "again.weight", "again.bias"]
    model.load_state_dict(state)
    before = state_of(model)
    state["b.weight"] = state["b.weight"] + 1
    with pytest.raises(ValueError, match=r"b\.weight and a\.weight are the same Tensor but have different values"):
        model.load_state_dict(state)
    np.testing.assert_array_equal(model.a.weight.data, before["a.weight"])


def test_names_that_collide():
    model = Spy(inside={"a.b": ag.Tensor(1.0), "a": {"b": ag.Tensor(2.0)}})
    with pytest.raises(ValueError, match=r"two Tensors of Spy have the name inside\.a\.b"):
        model.state_dict()


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies_are_independent_and_keep_what_is_shared(twin):
    model = Tied()
    other = twin(model)
    assert other.b.weight is other.a.weight
    assert other.again is other.a
    other.a.weight.assign(np.zeros((2, 2)))
    assert np.all(model.a.weight.data != 0)


# --- repr -------------------------------------------------------------------------------------------------------------


def test_repr_is_a_diagram():
    model = Branches()
    model.act = np.tanh
    model.first.bias.requires_grad = False
    assert repr(model).splitlines() == [
        "Branches          scale (), many.1.deep.1 (2,), mean (2,) fixed  13 parameters",
        "  first: Linear   weight (2, 2), bias (2,) fixed                 4",
        "  many.0: Linear  weight (2, 2), bias (2,)                       6",
        "  act: tanh",
    ]
    assert repr(nn.Linear(2, 1, bias=False, rng=0)) == "Linear  weight (1, 2)  2 parameters"


def test_repr_nests_and_marks_what_is_shared():
    layer = nn.Linear(1, 1, rng=0)
    assert repr(nn.Sequential(nn.Sequential(layer, nn.relu), layer)).splitlines() == [
        "Sequential                                 2 parameters",
        "  0: Sequential                            2",
        "    0: Linear    weight (1, 1), bias (1,)  2",
        "    1: relu",
        "  1: Linear      shared",
    ]
    assert repr(nn.Sequential()) == "Sequential    0 parameters"


# --- freezing ---------------------------------------------------------------------------------------------------------


def test_what_is_frozen_stays_as_it_is_and_is_saved(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.BatchNorm(3), nn.Linear(3, 1, rng=1))
    names = [name for name, _ in model.named_parameters()]
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    assert model.layers[0].freeze() is model.layers[0]
    before = model.state_dict()
    assert [name for name, _ in model.named_parameters()] == names[2:]
    assert "weight (3, 2) fixed, bias (3,) fixed" in repr(model)
    assert repr(model).splitlines()[1].endswith(" 0")
    nn.mse(model(np.random.default_rng(0).normal(size=(5, 2))), np.ones((5, 1))).backward()
    optimizer.step()
    after = model.state_dict()
    for name in ("0.weight", "0.bias"):
        np.testing.assert_array_equal(after[name], before[name])
    assert np.all(after["2.weight"] != before["2.weight"])
    model.freeze()
    assert list(model.parameters()) == []
    pytest.importorskip("safetensors", reason="a model is saved")
    nn.save(model, tmp_path / "m.safetensors")
    for m in (model, nn.load(tmp_path / "m.safetensors")):
        m.freeze(False)  # running averages were not trained before, and are not now
        assert [name for name, _ in m.named_parameters()] == names


def test_a_part_is_thawed_without_its_neighbour():
    model = nn.MLP([2, 3, 1], rng=0).freeze()
    model.layers[2].freeze(False)
    assert [name for name, _ in model.named_parameters()] == ["2.weight", "2.bias"]


# --- as a tree --------------------------------------------------------------------------------------------------------


def penalised(model):
    x = np.arange(6.0).reshape(3, 2)
    return nn.mse(model(x), np.ones((3, 2))) + 0.1 * nn.l2_penalty(model.parameters())


@pytest.mark.parametrize("make", [Branches, Tied], ids=lambda m: m.__name__)
def test_the_gradient_of_a_module_is_a_module(make):
    model = make()
    gradient = ag.grad(penalised)(model)
    assert type(gradient) is make
    assert gradient is not model
    penalised(model).backward()
    for (name, p), (other, g) in zip(model.named_parameters(), gradient.named_parameters(), strict=True):
        assert name == other
        np.testing.assert_allclose(g.data, p.grad, rtol=1e-12)
    assert gradient.num_parameters() == model.num_parameters()


def test_a_module_of_values_gives_values():
    """Without tracked Tensors a functional loop leaves no graph behind."""
    model = Tied()
    values = ag.stop_gradient(model)
    for _ in range(3):
        gradient = ag.grad(penalised)(values)
        assert all(type(g) is np.ndarray for g in gradient.parameters())
        values = ag.map_tree(lambda p, g: p - 0.01 * g, values, gradient)
    optimizer = nn.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        penalised(model).backward()
        optimizer.step()
    other = Tied().load_state_dict(values.state_dict())
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(other.state_dict()[name], value, rtol=1e-12)


def test_products_with_the_hessian_of_a_module():
    model = ag.stop_gradient(Branches())
    direction = ag.map_tree(lambda p: np.ones(np.shape(p)), model)
    product = ag.hvp(penalised)(model, direction)
    h = 1e-5
    ahead, behind = (ag.grad(penalised)(ag.map_tree(lambda p, s=s: p + s, model)) for s in (h, -h))
    for a, b, found in zip(ahead.parameters(), behind.parameters(), product.parameters(), strict=True):
        np.testing.assert_allclose(found, (np.asarray(a) - b) / (2 * h), rtol=1e-6, atol=1e-7)


def test_a_twin_has_the_rest_in_common():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.BatchNorm(3), nn.Dropout(0.5, rng=0), nn.Linear(3, 2, rng=1))
    model.layers[0].freeze()
    x, y = np.random.default_rng(0).normal(size=(4, 2)), np.zeros((4, 2))
    gradient = ag.grad(lambda m: nn.mse(m(x), y))(model)
    assert gradient.layers[0].weight is model.layers[0].weight  # frozen: a constant
    assert gradient.layers[1].running_mean is model.layers[1].running_mean
    assert model.layers[1].num_batches_tracked.data == 1
    assert gradient.layers[2].rng is model.layers[2].rng


def test_trees_of_other_models_do_not_fit():
    with pytest.raises(ValueError, match="has the structure"):
        ag.map_tree(lambda a, _: a, nn.MLP([2, 3, 1], rng=0), nn.MLP([2, 1], rng=0))


def test_copies_of_twins():
    values = ag.stop_gradient(Tied())
    twin = copy.deepcopy(values)
    assert [n for n, _ in twin.named_parameters()] == ["a.weight", "a.bias"]
    assert twin.b.weight is twin.a.weight


def test_results_of_transforms_are_not_loaded_into():
    model = Tied()
    state = model.state_dict()
    for found in (ag.grad(penalised)(model), ag.grad(penalised)(ag.stop_gradient(model))):
        with pytest.raises(TypeError, match="this Tied holds the results of a transform"):
            found.load_state_dict(state)
        fresh = ag.map_tree(ag.Tensor, ag.stop_gradient(found))
        fresh.load_state_dict(state)
        np.testing.assert_equal(fresh.state_dict(), state)


def test_a_jacobian_a_checkpoint_and_a_gradient_of_a_gradient_step():
    model, x = ag.stop_gradient(Tied()), np.arange(6.0).reshape(3, 2)
    jacobian = ag.jacobian(lambda m: m(x))(model)
    assert jacobian.a.weight.shape == (3, 2, 2, 2)

    def ahead(m):
        return penalised(ag.map_tree(lambda p, g: p - 0.01 * g, m, ag.grad(penalised)(m)))

    h, direction = 1e-5, ag.map_tree(lambda p: np.cos(np.arange(p.size)).reshape(p.shape), model)
    there, back = (ahead(ag.map_tree(lambda p, d, s=s: p + s * d, model, direction)) for s in (h, -h))
    slope = sum(np.sum(g * d) for g, d in zip(ag.grad(ahead)(model).parameters(), direction.parameters(), strict=True))
    np.testing.assert_allclose(slope, (there - back).item() / (2 * h), rtol=1e-6)

    twin = Tied()
    np.sum(ag.checkpoint(lambda m, x: m(x))(twin, x)).backward()
    other = Tied()
    np.sum(other(x)).backward()
    for p, q in zip(twin.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.grad, q.grad)


def test_what_is_no_state():
    model = nn.Linear(2, 1, rng=0)
    for state in (None, [1, 2], "weight"):
        with pytest.raises(TypeError, match="a state is a mapping from names to arrays, not a"):
            model.load_state_dict(state)


def test_parameters_of_pytorch_are_a_state():
    torch = pytest.importorskip("torch", reason="needs torch, of the dependency group peers")
    theirs, ours = torch.nn.Linear(2, 1), nn.Linear(2, 1, rng=0)
    ours.load_state_dict(dict(theirs.named_parameters()))
    np.testing.assert_array_equal(ours.weight.data, theirs.weight.detach().numpy().astype(float))


def test_pytorchs_names_say_what_to_write():
    with pytest.raises(AttributeError, match=r"no attribute 'ReLU'; write nn.relu"):
        nn.ReLU  # noqa: B018
