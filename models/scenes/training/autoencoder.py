"""A small convolutional autoencoder: images [b, 3, 8h, 8w] in -1..1 to latents [b, channels, h, w] and back.

Most of the work is at an eighth and a quarter of the resolution; full resolution costs two thin convolutions. The
posterior has a fixed width (`NOISE`), so the only price on information is the pull of the latents towards zero: a
variational autoencoder with one knob less.
"""
import torch
from torch import nn
from torch.nn import functional as F

NOISE = 0.04


class ResBlock(nn.Module):
    """[b, c, h, w] to the same; starts as the identity."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x):
        return x + self.second(F.silu(self.first(F.silu(x))))


class Upsample(nn.Module):
    """[b, c, h, w] to [b, out, 2h, 2w]."""

    def __init__(self, channels, out):
        super().__init__()
        self.widen = nn.Conv2d(channels, 4 * out, 1)

    def forward(self, x):
        return F.pixel_shuffle(self.widen(x), 2)


class Encoder(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 48, 4, stride=4), ResBlock(48), ResBlock(48),
            nn.Conv2d(48, 96, 3, stride=2, padding=1), ResBlock(96))
        self.to_latent = nn.Conv2d(96, channels, 1)

    def forward(self, image):
        return self.to_latent(F.silu(self.body(image)))


class Decoder(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.from_latent = nn.Conv2d(channels, 96, 1)
        self.body = nn.Sequential(
            nn.Conv2d(96, 96, 3, padding=1), ResBlock(96), ResBlock(96),
            Upsample(96, 48), ResBlock(48), ResBlock(48),
            Upsample(48, 24), ResBlock(24),
            Upsample(24, 12), nn.SiLU(), nn.Conv2d(12, 12, 3, padding=1), nn.SiLU(), nn.Conv2d(12, 3, 3, padding=1))

    def forward(self, latent):
        return self.body(self.from_latent(latent))


class Autoencoder(nn.Module):
    def __init__(self, channels=4, noise=NOISE):
        super().__init__()
        self.encoder = Encoder(channels)
        self.decoder = Decoder(channels)
        self.noise = noise

    def loss(self, image):
        """Error of the image and of its differences (edges), and the pull of the latents towards zero. The error is
        quadratic below five levels of 255 and absolute above, so that wide flat areas, nearly right everywhere, don't
        outweigh the outlines."""
        latent = self.encoder(image)
        painted = self.decoder(latent + self.noise * torch.randn_like(latent))
        error = painted - image
        across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
        edges = sum(F.smooth_l1_loss(d, torch.zeros_like(d), beta=0.04) for d in (across, down))
        return F.smooth_l1_loss(painted, image, beta=0.04) + 0.5 * edges + error.pow(2).mean() + (
            2e-4 * latent.pow(2).mean())

    @torch.no_grad()
    def normalise(self, mean, std):
        """Folds a per-channel mean and spread (each [channels]) into the two 1x1 convolutions around the latent, so that
        latents have zero mean and unit variance and `scaling_factor` is 1."""
        out, back = self.encoder.to_latent, self.decoder.from_latent
        out.weight.div_(std[:, None, None, None])
        out.bias.sub_(mean).div_(std)
        back.bias.add_(back.weight[:, :, 0, 0] @ mean)
        back.weight.mul_(std[None, :, None, None])
