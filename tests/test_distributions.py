"""torch.distributions against PyTorch's: densities, moments, divergences, maps; and that draws follow their distribution."""

import itertools
import math
import pickle
import warnings

import numpy as np
import pytest

import polytensor as pt

# name: (text that makes it from D and the parameters, the parameters)
MADE = {
    "normal": ("Normal(*p)", ([0.5, -1.0], [1.5, 0.3])),
    "normal_numbers": ("Normal(0.5, 2.0)", ()),
    "normal_broadcast": ("Normal(*p)", ([[0.5], [1.0]], [1.5, 0.3])),
    "uniform": ("Uniform(*p)", ([-0.5, 0.0], [1.5, 1.0])),
    "exponential": ("Exponential(*p)", ([0.5, 2.0],)),
    "laplace": ("Laplace(*p)", ([0.5, -1.0], [1.5, 0.3])),
    "cauchy": ("Cauchy(*p)", ([0.5, -1.0], [1.5, 0.3])),
    "gamma": ("Gamma(*p)", ([0.5, 3.0], [1.5, 0.3])),
    "chi2": ("Chi2(*p)", ([0.5, 3.0],)),
    "dirichlet": ("Dirichlet(*p)", ([[0.5, 3.0, 1.0], [2.0, 2.0, 0.7]],)),
    "beta": ("Beta(*p)", ([0.5, 3.0], [1.5, 2.3])),
    "beta_numbers": ("Beta(2.0, 3)", ()),
    "student": ("StudentT(*p)", ([0.5, 3.0], [1.5, 2.3], [1.0, 0.4])),
    "fisher": ("FisherSnedecor(*p)", ([0.5, 3.0], [1.5, 5.3])),
    "generalized_pareto": ("GeneralizedPareto(*p)", ([0.5, 3.0, 0.0], [1.5, 2.3, 1.0], [0.2, 0.0, 0.7])),
    "von_mises": ("VonMises(*p)", ([0.5, -1.0], [1.5, 4.3])),
    "log_normal": ("LogNormal(*p)", ([0.5, -1.0], [0.5, 0.3])),
    "logistic_normal": ("LogisticNormal(*p)", ([0.5, -1.0], [0.5, 0.3])),
    "half_normal": ("HalfNormal(*p)", ([0.5, 2.0],)),
    "half_cauchy": ("HalfCauchy(*p)", ([0.5, 2.0],)),
    "gumbel": ("Gumbel(*p)", ([0.5, -1.0], [0.5, 2.3])),
    "kumaraswamy": ("Kumaraswamy(*p)", ([2.5, 1.2], [1.5, 2.3])),
    "pareto": ("Pareto(*p)", ([2.5, 1.2], [3.5, 2.3])),
    "weibull": ("Weibull(*p)", ([2.5, 1.2], [1.5, 2.3])),
    "inverse_gamma": ("InverseGamma(*p)", ([2.5, 3.2], [1.5, 2.3])),
    "relaxed_bernoulli": ("RelaxedBernoulli(torch.tensor(0.7, dtype=torch.float64), *p)", ([0.3, 0.8],)),
    "relaxed_one_hot": ("RelaxedOneHotCategorical(torch.tensor(0.7, dtype=torch.float64), *p)", ([[0.3, 0.8, 0.2]],)),
    "bernoulli": ("Bernoulli(*p)", ([0.3, 0.8, 0.5],)),
    "bernoulli_logits": ("Bernoulli(logits=p[0])", ([0.3, -0.8],)),
    "continuous_bernoulli": ("ContinuousBernoulli(*p)", ([0.3, 0.8, 0.5],)),
    "geometric": ("Geometric(*p)", ([0.3, 0.8],)),
    "geometric_logits": ("Geometric(logits=p[0])", ([0.3, -0.8],)),
    "poisson": ("Poisson(*p)", ([0.3, 4.0],)),
    "binomial": ("Binomial(5, *p)", ([0.3, 0.8],)),
    "binomial_logits": ("Binomial(5, logits=p[0])", ([0.3, -0.8],)),
    "negative_binomial": ("NegativeBinomial(5, *p)", ([0.3, 0.6],)),
    "categorical": ("Categorical(*p)", ([[0.3, 0.8, 0.2], [1.0, 1.0, 2.0]],)),
    "categorical_logits": ("Categorical(logits=p[0])", ([[0.3, -0.8, 0.2], [1.0, 1.0, 2.0]],)),
    "one_hot": ("OneHotCategorical(*p)", ([[0.3, 0.8, 0.2], [1.0, 1.0, 2.0]],)),
    "one_hot_straight": ("OneHotCategoricalStraightThrough(*p)", ([[0.3, 0.8, 0.2]],)),
    "multinomial": ("Multinomial(4, *p)", ([[0.3, 0.8, 0.2], [1.0, 1.0, 2.0]],)),
    "mvn_tril": ("MultivariateNormal(p[0], scale_tril=p[1].tril())", ([0.3, -0.2], [[1.0, 0.0], [0.5, 2.0]])),
    "mvn_cov": ("MultivariateNormal(p[0], p[1])", ([[0.3, -0.2], [1.0, 0.0]], [[1.0, 0.5], [0.5, 2.0]])),
    "mvn_precision": ("MultivariateNormal(p[0], precision_matrix=p[1])", ([0.3, -0.2], [[1.0, 0.5], [0.5, 2.0]])),
    "mvn_low_rank": ("LowRankMultivariateNormal(*p)", ([0.3, -0.2], [[1.0], [0.5]], [0.5, 2.0])),
    "wishart": ("Wishart(torch.tensor(4.0, dtype=torch.float64), p[0])", ([[1.0, 0.5], [0.5, 2.0]],)),
    "lkj": ("LKJCholesky(3, p[0])", ([0.7, 2.0],)),
    "independent": ("Independent(D.Normal(*p), 1)", ([[0.5, -1.0]], [[1.5, 0.3]])),
    "mixture": ("MixtureSameFamily(D.Categorical(p[0]), D.Normal(p[1], p[2]))", ([0.3, 0.7], [1.0, -1.0], [0.5, 2.0])),
    "mixture_vectors": (
        "MixtureSameFamily(D.Categorical(p[0]), D.Independent(D.Normal(p[1], p[2]), 1))",
        ([0.3, 0.7], [[1.0, -1.0], [0.0, 2.0]], [[0.5, 2.0], [1.0, 1.0]]),
    ),
    "transformed": (
        "TransformedDistribution(D.Normal(*p), [D.AffineTransform(1.0, -2.0), D.SigmoidTransform()])", ([0.5], [1.5]),
    ),
    "transformed_vector": (
        "TransformedDistribution(D.Normal(*p), [D.StickBreakingTransform(), D.AffineTransform(0.0, 2.0, event_dim=1)])",
        ([[0.5, 0.1]], [[1.5, 1.0]]),
    ),
}  # fmt: skip
ASKED = ("mean", "mode", "variance", "stddev", "entropy()", "perplexity()", "enumerate_support()", "support", "batch_shape",
         "event_shape", "has_rsample", "has_enumerate_support", "__repr__()", "probs", "logits", "covariance_matrix",
         "precision_matrix", "scale_tril", "_natural_params")  # fmt: skip


def make(torch, name):
    text, given = MADE[name]
    dtype = torch.float32 if name == "generalized_pareto" else torch.float64  # PyTorch's takes no other
    parameters = [torch.tensor(v, dtype=dtype, requires_grad=True) for v in given]
    return eval("D." + text, {"torch": torch, "D": torch.distributions, "p": parameters}), parameters


NO_GRADIENT = {("cdf", "gamma"), ("cdf", "chi2"), ("cdf", "inverse_gamma")}  # of the incomplete gamma function
COARSE = {"von_mises": 1e-6, "generalized_pareto": 1e-6}  # PyTorch's Bessel function has seven digits; float32


def plain(x):
    """Arrays, numbers and texts, for comparison."""
    if isinstance(x, (tuple, list)) and not hasattr(x, "numel"):
        return [plain(v) for v in x]
    return x.detach().numpy() if hasattr(x, "detach") else x


def outcome(fn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "value", fn()
        except Exception as error:  # noqa: BLE001 any class is a result here
            return "error", type(error).__name__


def agree(ours, theirs, what, tol=1e-9):
    assert ours[0] == theirs[0], (what, ours, theirs)
    a, b = plain(ours[1]), plain(theirs[1])
    for x, y in zip(a, b, strict=True) if isinstance(a, list) else [(a, b)]:
        if isinstance(x, np.ndarray):
            assert x.dtype == y.dtype and x.shape == y.shape, (what, x, y)
            bound = max(tol, 2e-6) if x.dtype == np.float32 else tol
            np.testing.assert_allclose(x, y, rtol=bound, atol=bound, err_msg=what)
        else:
            assert repr(x) == repr(y), what


def both(oracle, name):
    return [make(torch, name) for torch in (pt, oracle)]


@pytest.mark.parametrize("name", MADE)
def test_moments_and_facts(oracle, name):
    (ours, _), (theirs, _) = both(oracle, name)
    for text in ASKED:
        if name == "kumaraswamy" and text == "mode":
            continue
        agree(*(outcome(lambda d=d: eval(f"d.{text}", {"d": d})) for d in (ours, theirs)), text, COARSE.get(name, 1e-9))


@pytest.mark.parametrize("name", MADE)
def test_densities_and_their_gradients(oracle, name):
    oracle.manual_seed(3)
    (ours, p), (theirs, q) = both(oracle, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = theirs.sample((3,))
    values = {pt: pt.tensor(drawn.numpy()), oracle: drawn}
    for text in ("log_prob", "cdf"):
        got, expected = (outcome(lambda d=d, t=t: getattr(d, text)(values[t])) for d, t in ((ours, pt), (theirs, oracle)))
        agree(got, expected, text, COARSE.get(name, 1e-9))
        if got[0] == "value" and p and (text, name) not in NO_GRADIENT:
            grads = [
                t.autograd.grad(r[1].sum(), ps, allow_unused=True, retain_graph=True)
                for t, r, ps in ((pt, got, p), (oracle, expected, q))
            ]
            for a, b in zip(*grads, strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    tol = 1e-5 if a.dtype == pt.float32 else COARSE.get(name, 1e-8)
                    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tol, atol=tol, err_msg=f"gradient of {text}")
    at = np.random.default_rng(0).random((3, *ours.batch_shape))
    got, expected = (
        outcome(lambda d=d, t=t: d.icdf(t.tensor(at, dtype=t.float64))) for d, t in ((ours, pt), (theirs, oracle))
    )
    agree(got, expected, "icdf")
    outside = [outcome(lambda d=d, t=t: d.log_prob(t.full(drawn.shape, math.nan))) for d, t in ((ours, pt), (theirs, oracle))]
    agree(*outside, "a value outside of the support")
    wrong = [outcome(lambda d=d, t=t: d.log_prob(t.zeros(7, 5))) for d, t in ((ours, pt), (theirs, oracle))]
    agree(*wrong, "a value of another shape")


@pytest.mark.parametrize("name", MADE)
def test_expand_and_shapes_of_draws(oracle, name):
    (ours, _), (theirs, _) = both(oracle, name)
    shape = (4, *ours.batch_shape)
    wide, there = ours.expand(shape), theirs.expand(shape)
    assert type(wide) is type(ours) and repr(wide) == repr(there)
    assert (wide.batch_shape, wide.event_shape) == (there.batch_shape, there.event_shape)
    oracle.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = there.sample((2,))
    got = wide.sample((2,))
    assert got.shape == drawn.shape == ours.sample((2, 4)).shape and str(got.dtype) == str(drawn.dtype)
    assert not got.requires_grad
    got = "value", wide.log_prob(pt.tensor(drawn.numpy()))
    agree(got, ("value", there.log_prob(drawn)), "log_prob", COARSE.get(name, 1e-9))
    got = ours.sample((200,))
    ours.log_prob(got)  # checks the support
    if ours.has_rsample:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn = theirs.rsample((2,))
        assert ours.rsample((2,)).shape == drawn.shape and ours.rsample().requires_grad == drawn.requires_grad


HEAVY = {"cauchy", "half_cauchy", "student", "fisher", "pareto", "inverse_gamma", "generalized_pareto", "lkj", "von_mises",
         "relaxed_bernoulli", "relaxed_one_hot", "logistic_normal", "transformed", "transformed_vector", "categorical",
         "categorical_logits"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(MADE) - HEAVY))
def test_draws_have_mean_and_variance(name):
    pt.manual_seed(0)
    d, _ = make(pt, name)
    n = 20000
    x = d.sample((n,)).double()
    error = (d.variance / n).sqrt().detach()
    assert ((x.mean(0) - d.mean.detach()).abs() < 5 * error + 1e-9).all()
    assert ((x.var(0) - d.variance.detach()).abs() < 0.15 * d.variance.detach() + 1e-9).all()


@pytest.mark.parametrize("name", ["cauchy", "half_cauchy", "generalized_pareto", "transformed", "inverse_gamma", "kumaraswamy"])
def test_draws_follow_the_cdf(name):
    pt.manual_seed(0)
    d, _ = make(pt, name)
    u = d.cdf(d.sample((4000,))).detach().sort(0).values
    expected = (pt.arange(4000).double() + 0.5) / 4000
    assert (u - expected.reshape(-1, *[1] * (u.dim() - 1))).abs().max() < 0.04


@pytest.mark.parametrize("name", ["student", "fisher", "relaxed_bernoulli", "logistic_normal", "relaxed_one_hot"])
def test_draws_are_where_pytorchs_are(oracle, name):
    pt.manual_seed(0)
    oracle.manual_seed(0)
    (ours, _), (theirs, _) = both(oracle, name)
    a, b = np.sort(ours.sample((6000,)).numpy(), 0), np.sort(theirs.sample((6000,)).numpy(), 0)
    ranks = np.stack([np.searchsorted(b[..., i].ravel(), a[..., i].ravel()) for i in range(a.shape[-1])])
    assert np.abs(ranks / b[..., 0].size - np.linspace(0, 1, ranks.shape[1])).max() < 0.05


def test_von_mises_draws_by_their_density():
    pt.manual_seed(0)
    d = pt.distributions.VonMises(pt.tensor([0.5, -2.0]), pt.tensor([1.5, 0.01]))
    x = d.sample((20000,))
    assert x.abs().max() <= math.pi + 1e-6
    resultant = pt.special.i1e(d.concentration) / pt.special.i0e(d.concentration)
    assert (pt.cos(x - d.loc).mean(0) - resultant).abs().max() < 0.03
    assert pt.sin(x - d.loc).mean(0).abs().max() < 0.03


def test_lkj_draws_have_beta_correlations():
    pt.manual_seed(0)
    factor = pt.distributions.LKJCholesky(3, pt.tensor(2.0)).sample((8000,))
    r = (factor @ factor.mT)[:, [1, 2, 2], [0, 0, 1]]
    assert r.mean(0).abs().max() < 0.02
    assert (r.var(0) - 1 / 6).abs().max() < 0.01  # of beta(2.5, 2.5) on -1 to 1


@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0, 3.0, 40.0, 3000.0])
def test_gradients_of_gamma_draws(oracle, alpha):
    """dx/dalpha at a draw, against PyTorch's own, which is good to 3 digits or so."""
    from polytensor.distributions.gammas import _slope

    oracle.manual_seed(1)
    a = oracle.full((500,), alpha, dtype=oracle.float64, requires_grad=True)
    x = oracle._standard_gamma(a)
    (theirs,) = oracle.autograd.grad(x.sum(), a)
    ours = _slope(pt.tensor(a.detach().numpy()), pt.tensor(x.detach().numpy())).numpy()
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=5e-3, atol=1e-8 * alpha)


def test_gradients_of_draws_move_the_mean():
    pt.manual_seed(0)
    a = pt.tensor([0.3, 2.0, 9.0], dtype=pt.float64, requires_grad=True)
    pt.distributions.Gamma(a, 2.0).rsample((20000,)).mean(0).sum().backward()
    assert (a.grad - 0.5).abs().max() < 0.03
    b = pt.tensor([1.5, 2.0, 0.7], dtype=pt.float64, requires_grad=True)
    drawn = pt.distributions.Dirichlet(b).rsample((20000,))[:, 0].mean()
    (exact,) = pt.autograd.grad((b[0] / b.sum()), b)
    (got,) = pt.autograd.grad(drawn, b)
    assert (got - exact).abs().max() < 0.01


PAIRS = [n for n in MADE if n not in ("normal_broadcast", "normal_numbers", "wishart", "lkj", "mixture_vectors", "gumbel", "beta_numbers")]


def test_divergences_of_all_pairs(oracle):
    made = {n: both(oracle, n) for n in [*PAIRS, "gumbel"]}
    values = 0
    for p, q in itertools.product(made, repeat=2):
        (a, _), (b, _) = made[p]
        (c, _), (d, _) = made[q]
        got = outcome(lambda a=a, c=c: pt.distributions.kl_divergence(a, c))
        expected = outcome(lambda b=b, d=d: oracle.distributions.kl_divergence(b, d))
        if (p, q) in {("exponential", "half_cauchy")}:
            continue
        agree(got, expected, f"kl({p}, {q})", 1e-7)
        values += got[0] == "value"
    assert values > 120


def test_divergences_of_ones_own(oracle):
    def program(torch):
        D = torch.distributions  # noqa: N806

        class Mine(D.Normal):
            pass

        @D.register_kl(Mine, D.Laplace)
        def rule(p, q):
            return torch.tensor(42.0)

        p, q = Mine(0.0, 1.0), D.Laplace(0.0, 1.0)
        with pytest.raises(TypeError):
            D.register_kl(3, Mine)
        return D.kl_divergence(p, q).item(), D.kl_divergence(p, D.Normal(1.0, 1.0)).item()

    assert program(pt) == pytest.approx(program(oracle)) == (42.0, 0.5)


MAPS = {
    "ExpTransform()": [[0.5, -1.0]], "SigmoidTransform()": [[0.5, -1.0]], "TanhTransform()": [[0.5, -1.0]],
    "SoftplusTransform()": [[0.5, -1.0]], "AbsTransform()": [[0.5, 1.0]], "PowerTransform(torch.tensor(2.0))": [[0.5, 1.5]],
    "AffineTransform(1.0, -2.0)": [[0.5, 1.5]], "AffineTransform(torch.ones(2), torch.tensor([2.0, -1.0]), 1)": [[0.5, 1.5]],
    "SoftmaxTransform()": [[0.5, 1.5]], "StickBreakingTransform()": [[0.5, 1.5, -1.0]],
    "LowerCholeskyTransform()": [[0.5, 1.5], [0.3, -0.1]], "PositiveDefiniteTransform()": [[0.5, 1.5], [0.3, -0.1]],
    "CorrCholeskyTransform()": [[0.5, 1.5, -0.3]], "ReshapeTransform((2, 2), (4,))": [[[0.5, 1.5], [0.3, -0.1]]],
    "ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, 3.0)])": [[0.5, 1.5]],
    "ComposeTransform([D.ReshapeTransform((2,), (1, 2)), D.TanhTransform()])": [[0.5, 1.5]], "ComposeTransform([])": [[0.5]],
    "IndependentTransform(D.ExpTransform(), 1)": [[0.5, 1.5]], "ExpTransform().inv": [[0.5, 1.5]],
    "CatTransform([D.ExpTransform(), D.TanhTransform()], -1, [1, 2])": [[0.5, 1.5, 0.1]],
    "StackTransform([D.ExpTransform(), D.TanhTransform()], -1)": [[0.5, 1.5]],
    "CumulativeDistributionTransform(D.Normal(0.0, 1.0))": [[0.5, 1.5]],
    "biject_to(C.simplex)": [[0.5, 1.5]], "transform_to(C.simplex)": [[0.5, 1.5]], "biject_to(C.interval(1.0, 3.0))": [[0.5]],
    "biject_to(C.greater_than(2.0))": [[0.5]], "biject_to(C.less_than(2.0))": [[0.5]], "transform_to(C.real)": [[0.5]],
    "biject_to(C.positive)": [[0.5]], "biject_to(C.unit_interval)": [[0.5]], "biject_to(C.real_vector)": [[0.5, 1.0]],
    "transform_to(C.lower_cholesky)": [[0.5, 1.5], [0.3, -0.1]], "biject_to(C.corr_cholesky)": [[0.5, 1.5, -0.3]],
    "biject_to(C.cat([C.positive, C.real], -1, [1, 1]))": [[0.5, 1.0]], "biject_to(C.boolean)": [[0.5]],
    "transform_to(C.positive_definite)": [[0.5, 1.5], [0.3, -0.1]], "biject_to(C.independent(C.positive, 1))": [[0.5, 1.0]],
}  # fmt: skip


@pytest.mark.parametrize("text", MAPS)
def test_maps(oracle, text):
    def program(torch):
        D = torch.distributions  # noqa: N806
        t = eval("D." + text, {"torch": torch, "D": D, "C": D.constraints})
        x = torch.tensor(MAPS[text], dtype=torch.float64, requires_grad=True)
        y = t(x)
        (grad,) = torch.autograd.grad(y.cos().sum(), x, retain_graph=True)
        facts = [t.bijective, t.domain.event_dim, t.codomain.event_dim, repr(t.domain), repr(t.codomain), repr(t), t == t]
        steps = [
            lambda: t.inv(y), lambda: t.log_abs_det_jacobian(x, y), lambda: t.inv.log_abs_det_jacobian(y, x),
            lambda: torch.ones(()) * t.sign, lambda: t.with_cache()(x), lambda: t.inv.inv(x),
        ]  # fmt: skip
        return [("value", facts), ("value", y), ("value", grad)] + [outcome(s) for s in steps] + [
            outcome(lambda: [tuple(t.forward_shape(torch.Size((2, *x.shape)))), tuple(t.inverse_shape(y.shape))])
        ]

    ours, theirs = outcome(lambda: program(pt)), outcome(lambda: program(oracle))
    assert ours[0] == theirs[0]
    if ours[0] == "error":
        assert ours == theirs
        return
    for i, (a, b) in enumerate(zip(ours[1], theirs[1], strict=True)):
        agree(a, b, f"step {i}")


def test_a_cached_map_gives_the_same_tensor_back():
    t = pt.distributions.TanhTransform(cache_size=1)
    x = pt.tensor([9.0])
    assert t.inv(t(x)) is x and pickle.loads(pickle.dumps(t)) == t


SETS = [
    "boolean", "one_hot", "nonnegative_integer", "positive_integer", "integer_interval(0, 3)", "real", "real_vector",
    "positive", "nonnegative", "greater_than(1.0)", "greater_than_eq(1.0)", "less_than(1.0)", "multinomial(3)",
    "unit_interval", "interval(-1.0, 0.5)", "half_open_interval(0.0, 1.0)", "simplex", "lower_triangular", "lower_cholesky",
    "corr_cholesky", "square", "symmetric", "positive_semidefinite", "positive_definite", "dependent",
    "cat([D.constraints.real, D.constraints.positive], -1, [1, 1])", "stack([D.constraints.real, D.constraints.positive], -1)",
    "independent(D.constraints.positive, 1)",
]  # fmt: skip
VALUES = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]], [[0.3, 0.7], [2.0, -1.0]], [[1.0, 0.0], [0.6, 0.8]],
          [[math.nan, 1.0], [3.0, 0.0]]]  # fmt: skip


@pytest.mark.parametrize("text", SETS)
def test_sets(oracle, text):
    for value in VALUES:
        ours, theirs = (
            outcome(lambda t=t: (lambda c: [c.check(t.tensor(value)), repr(c), c.event_dim, c.is_discrete])(
                eval("D.constraints." + text, {"D": t.distributions})))
            for t in (pt, oracle)
        )  # fmt: skip
        agree(ours, theirs, text)


WRONG = """
D.Normal(torch.tensor([0.0, 1.0]), torch.tensor([1.0, -1.0]))
D.Normal('a', 1.0)
D.Uniform(1.0, 0.0)
D.Bernoulli()
D.Bernoulli(0.5, 0.5)
D.Bernoulli(1.5)
D.Categorical(torch.tensor([-0.5, 0.5]))
D.Categorical(torch.tensor(0.5))
D.MultivariateNormal(torch.zeros(2))
D.MultivariateNormal(torch.tensor(0.0), torch.eye(2))
D.MultivariateNormal(torch.zeros(2), -torch.eye(2))
D.LowRankMultivariateNormal(torch.zeros(2), torch.ones(3, 1), torch.ones(2))
D.Independent(D.Normal(0.0, 1.0), 1)
D.Geometric(0.0)
D.Dirichlet(torch.tensor(1.0))
D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(0.0, 1.0))
D.TransformedDistribution(D.Normal(0.0, 1.0), 3)
D.LKJCholesky(1)
D.Normal(0.0, 1.0).log_prob(3)
D.Normal(0.0, -1.0, validate_args=False).scale
D.Distribution().sample()
D.Distribution().log_prob(torch.zeros(1))
D.kl_divergence(D.Normal(0.0, 1.0), D.Bernoulli(0.5))
D.utils.broadcast_all('a')
D.utils.vec_to_tril_matrix(torch.arange(1.0, 7.0))
D.utils.vec_to_tril_matrix(torch.arange(1.0, 6.0))
D.utils.tril_matrix_to_vec(torch.arange(9.0).reshape(3, 3), -1)
D.utils.clamp_probs(torch.tensor([0.0, 1.0]))
D.normal.Normal is D.Normal, D.mixture_same_family.MixtureSameFamily is D.MixtureSameFamily
"""


@pytest.mark.parametrize("text", WRONG.split("\n")[1:-1])
def test_errors_and_helpers(oracle, text):
    ours, theirs = (outcome(lambda t=t: eval(text, {"torch": t, "D": t.distributions})) for t in (pt, oracle))
    agree(ours, theirs, text)


def test_defining_ones_own(oracle):
    def program(torch):
        D = torch.distributions  # noqa: N806

        class Triangular(D.Distribution):
            arg_constraints = {"width": D.constraints.positive}  # noqa: RUF012
            support = D.constraints.real

            def __init__(self, width, validate_args=None):
                (self.width,) = D.utils.broadcast_all(width)
                super().__init__(self.width.shape, validate_args=validate_args)

            @D.utils.lazy_property
            def height(self):
                return 1 / self.width

            def log_prob(self, value):
                if self._validate_args:
                    self._validate_sample(value)
                return torch.log((1 - value.abs() / self.width).clamp(min=0) * self.height)

        d = Triangular(torch.tensor([2.0, 3.0]))
        with pytest.raises(ValueError, match=r"Expected parameter width \(Tensor of shape \(1,\)\) of distribution Triangular"):
            Triangular(torch.tensor([-1.0]))
        with pytest.raises(ValueError, match=r"within the support \(Real\(\)\) of the distribution Triangular"):
            d.log_prob(torch.tensor([math.nan]))
        with pytest.raises(ValueError, match="not broadcastable"):
            d.log_prob(torch.zeros(3))
        with pytest.raises(NotImplementedError):
            d.expand((2, 2))
        before = "height" in d.__dict__
        value = d.log_prob(torch.tensor([0.5, 1.0]))
        return repr(d), value.tolist(), before, "height" in d.__dict__

    ours, theirs = program(pt), program(oracle)
    assert ours[0] == theirs[0] and ours[2:] == theirs[2:] == (False, True)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6)
