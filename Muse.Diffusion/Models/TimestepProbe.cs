using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>Finds out whether a denoiser takes a timestep for each row: two rows at different timesteps must give what each gives alone.</summary>
/// <remarks>The graph does not tell: exports call the dimension <c>steps</c> or <c>batch</c> whatever they do with it.</remarks>
sealed class TimestepProbe(OnnxModel model, Denoiser denoiser, int channels)
{
    // Half precision differs by a thousandth or so; a row at another's timestep by far more.
    const float Tolerance = 0.02f;
    const float Early = 900, Late = 20;

    public bool TakesOnePerRow()
    {
        try
        {
            denoiser.TimestepPerRow = true;
            var embedding = model.Encode("", negative: false, minTokens: 0);
            var together = Run(embedding, [Early, Late]);
            return Same(together[0], Run(embedding, [Early])[0]) && Same(together[1], Run(embedding, [Late])[0]);
        }
        catch (OnnxRuntimeException)
        {
            // It takes one timestep for all; should it take none at all, the warm-up tells.
            return false;
        }
        finally
        {
            denoiser.Forget();
        }
    }

    float[][] Run(PromptEmbedding embedding, float[] timesteps)
    {
        var latent = new LatentShape(channels, denoiser.Height ?? 8, denoiser.Width ?? 8);
        var batch = denoiser.Batch(latent, embedding, timesteps.Length);
        for (var row = 0; row < timesteps.Length; row++)
        {
            new SeededNoise(1).Fill(0, 0, batch.Input(row));
            batch.SetCondition(row, new RowCondition(timesteps[row], embedding, 1, latent.Width, latent.Height));
        }
        batch.Run();
        return [.. timesteps.Select((_, row) => batch.Output(row).ToArray())];
    }

    static bool Same(float[] a, float[] b)
    {
        float largest = 0, difference = 0;
        for (var i = 0; i < a.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(b[i]));
            difference = Math.Max(difference, Math.Abs(a[i] - b[i]));
        }
        return difference <= Tolerance * largest;
    }
}
