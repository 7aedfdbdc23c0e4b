"""The article's VAE in PyTorch, as one would write it today; for comparison only."""

from typing import Any, Callable

import torch
from torch import nn
from torch.nn import functional as F

VARIANTS = ("eager", "fused Adam", "compiled")


class TorchVAE(nn.Module):
    """784-500-500-n_latent and back, softplus, float32; the loss for one sample of z, C = 1."""

    def __init__(self, n_latent: int, n_in: int = 784, n_h: int = 500) -> None:
        super().__init__()
        self.le1, self.le2 = nn.Linear(n_in, n_h), nn.Linear(n_h, n_h)
        self.le3_mu, self.le3_ln_var = nn.Linear(n_h, n_latent), nn.Linear(n_h, n_latent)
        self.ld1, self.ld2 = nn.Linear(n_latent, n_h), nn.Linear(n_h, n_h)
        self.ld3 = nn.Linear(n_h, n_in)

    def load(self, model: Any) -> None:
        """Take the parameters of a Chainer model on the CPU."""
        with torch.no_grad():
            for name, link in self.named_children():
                link.weight.copy_(torch.from_numpy(model[name].W.array))
                link.bias.copy_(torch.from_numpy(model[name].b.array))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rec_loss, kl = self.losses(x, 1)
        return (rec_loss + kl) / len(x)

    def losses(self, x: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction error with k samples, and divergence, summed."""
        h = F.softplus(self.le2(F.softplus(self.le1(x))))
        mu, ln_var = self.le3_mu(h), self.le3_ln_var(h)
        rec_loss = x.new_zeros(())
        for _ in range(k):
            z = mu + torch.exp(0.5 * ln_var) * torch.randn_like(mu)
            logits = self.ld3(F.softplus(self.ld2(F.softplus(self.ld1(z)))))
            rec_loss = rec_loss + F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / k
        return rec_loss, 0.5 * (mu * mu + ln_var.exp() - ln_var - 1).sum()


def make_step(variant: str, model: Any, device: str = "cpu") -> Callable[[torch.Tensor], Any]:
    """A training step on a batch, from the parameters of a Chainer model."""
    vae = TorchVAE(model.le3_mu.W.shape[0])
    vae.load(model)
    vae.to(device)
    fused = variant != "eager"
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=fused)
    loss_func = torch.compile(vae) if variant.startswith("compiled") else vae

    def step(x: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_func(x)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def make_graph(model: Any, n: int) -> Callable[[torch.Tensor], Any]:
    """The compiled step on a GPU, captured whole in one CUDA graph, on a batch of n images."""
    vae = TorchVAE(model.le3_mu.W.shape[0])
    vae.load(model)
    vae.cuda()
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=True, capturable=True)
    loss_func = torch.compile(vae)
    x = torch.zeros(n, 784, device="cuda")

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_func(x)
        loss.backward()
        optimizer.step()
        return loss.detach()

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss = step()

    def replay(batch: torch.Tensor) -> torch.Tensor:
        x.copy_(batch)
        graph.replay()
        return loss

    return replay
