import pytest

from search_spaces import (
    Categorical,
    Choice,
    Domain,
    Integer,
    ModelSignature,
    SearchSpace,
    StudentSpec,
    TensorSpec,
    mlp,
    plain_digest,
    size,
)

LOGITS = (TensorSpec(name="logits", shape=(10,)),)


def test_narrowed_space_has_the_domains_and_keeps_the_rest() -> None:
    wide = mlp(max_depth=2)
    narrow = wide.narrowed({"layer1.width": Integer(low=8, high=32, step=8), "dropout": Categorical(options=(0.1,))})
    assert size(narrow.choices) == 2 * 3 * 2 * 4 * (1 + 509)
    assert size(wide.choices) == 2 * 3 * 2 * 3 * 509 * (1 + 509)
    assert (narrow.build, narrow.cost, narrow.name) == (wide.build, wide.cost, wide.name)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({"widht": Integer(low=8, high=16)}, r"has no choice 'widht'; it has activation, depth"),
        ({"layer1.width": Integer(low=1, high=16)}, "'layer1.width' cannot be 1; it can be Integer"),
        ({"activation": Categorical(options=("relu", "tanh"))}, "'activation' cannot be 'tanh'"),
        ({"dropout": Integer(low=0, high=1)}, "'dropout' cannot be 0; it can be Categorical"),
    ],
)
def test_narrowing_outwards_is_refused(domains: dict[str, Domain], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mlp().narrowed(domains)


def test_narrowing_between_the_steps_is_refused() -> None:
    domains = Integer(low=16, high=64, step=16), Categorical(options=(1, 2, 4))
    choices = [Choice(name=name, domain=domain) for name, domain in zip(("width", "heads"), domains, strict=True)]
    space = SearchSpace(name="stepped", choices=tuple(choices), build=mlp().build)
    space.narrowed({"width": Integer(low=16, high=48, step=32), "heads": Integer(low=1, high=2)})
    with pytest.raises(ValueError, match=r"'width' cannot be 24"):
        space.narrowed({"width": Integer(low=16, high=64, step=8)})
    with pytest.raises(ValueError, match=r"'heads' cannot be 3"):
        space.narrowed({"heads": Integer(low=1, high=4)})


def test_two_choices_of_one_name_are_refused() -> None:
    choice = Choice(name="width", domain=Integer(low=1, high=2))
    with pytest.raises(ValueError, match=r"choices of one name: width"):
        SearchSpace(name="twice", choices=(choice, choice), build=mlp().build)


def test_digest_depends_on_space_and_values_and_not_on_their_order() -> None:
    spec = StudentSpec(space="mlp", values={"depth": 1, "activation": "relu"})
    same = StudentSpec(space="mlp", values={"activation": "relu", "depth": 1})
    assert spec.architecture_digest == same.architecture_digest
    assert hash(spec) == hash(same)
    others = [
        StudentSpec(space="convnet", values=spec.values),
        StudentSpec(space="mlp", values={**spec.values, "depth": 2}),
        StudentSpec(space="mlp", values={**spec.values, "depth": True}),
    ]
    assert len({spec.architecture_digest, *(other.architecture_digest for other in others)}) == 4


def test_constants_are_part_of_the_spec_and_of_its_name() -> None:
    def named(constants: dict[str, object]) -> str:
        space = SearchSpace(name="given", choices=(), build=mlp().build, constants=constants)
        spec = space.spec({})
        assert spec.constants == constants
        return spec.architecture_digest

    assert named({"model": "vit"}) == named({"model": "vit"})
    assert len({named({}), named({"model": "vit"}), named({"model": "resnet"}), named({"model": "vit", "a": [1]})}) == 4
    assert named({}) == StudentSpec(space="given", values={}).architecture_digest


def test_constants_that_no_file_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="constants of space 'given' must be plain data, as JSON can hold"):
        SearchSpace(name="given", choices=(), build=mlp().build, constants={"layer": object()})


def test_bounds_of_choices_are_no_part_of_a_name() -> None:
    values = {"depth": 1, "activation": "relu", "normalisation": "none", "shortcut": False, "dropout": 0.0}
    values["layer1.width"] = 8
    specs = [space.spec(values) for space in (mlp(), mlp(max_depth=1, max_width=16))]
    assert specs[0].architecture_digest == specs[1].architecture_digest


def test_the_only_point_of_a_space_is_known() -> None:
    assert SearchSpace(name="given", choices=(), build=mlp().build).only_values == {}
    assert mlp().only_values is None
    one = mlp(max_depth=2, min_width=8, max_width=16, activations=["relu"], normalisations=["none"])
    narrow = {"depth": Integer(low=1, high=1), "shortcut": Categorical(options=(True,))}
    narrow |= {"dropout": Categorical(options=(0.1,)), "layer1.width": Integer(low=8, high=8)}
    # The width of a second layer is open, but there is none.
    assert one.narrowed(narrow).only_values == {
        "depth": 1,
        "activation": "relu",
        "normalisation": "none",
        "shortcut": True,
        "dropout": 0.1,
        "layer1.width": 8,
    }
    assert one.narrowed(narrow | {"depth": Integer(low=2, high=2)}).only_values is None


def test_digest_is_the_same_on_every_machine() -> None:
    # echo -n '{"a":[1,2.5,"x"],"b":true}' | sha256sum
    assert plain_digest({"b": True, "a": [1, 2.5, "x"]}) == "f874e666dbaa"


def test_sole_shapes_are_those_of_the_only_tensors() -> None:
    signature = ModelSignature(inputs=(TensorSpec(name="input", shape=(1, 8, 8)),), outputs=LOGITS)
    assert signature.sole_input_shape == (1, 8, 8)
    assert signature.sole_output_shape == (10,)


@pytest.mark.parametrize(
    "inputs",
    [
        (TensorSpec(name="tokens", shape=(None,), dtype="int64"),),
        (TensorSpec(name="image", shape=(3,)), TensorSpec(name="mask", shape=(3,))),
    ],
)
def test_sole_shape_needs_one_tensor_of_fixed_size(inputs: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(ValueError, match="this needs one input of fixed size"):
        _ = ModelSignature(inputs=inputs, outputs=LOGITS).sole_input_shape


def test_signatures_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one input and one output"):
        ModelSignature(inputs=(), outputs=LOGITS)
    with pytest.raises(ValueError, match="must differ"):
        ModelSignature(inputs=LOGITS, outputs=LOGITS)
    with pytest.raises(ValueError, match="must be at least 1"):
        TensorSpec(name="input", shape=(0,))
