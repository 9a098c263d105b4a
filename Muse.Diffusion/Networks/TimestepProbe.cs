using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>
/// Finds out whether a denoiser takes a timestep for each row: two rows at different timesteps must give what each gives alone.
/// </summary>
/// <remarks>The graph does not tell: exports call the dimension <c>steps</c> or <c>batch</c> whatever they do with it.</remarks>
/// <param name="denoiser">The denoiser.</param>
/// <param name="latent">A small latent.</param>
/// <param name="conditioning">Any conditioning.</param>
sealed class TimestepProbe(Denoiser denoiser, LatentShape latent, Conditioning conditioning)
{
    // Half precision differs by a thousandth or so; a row at another's timestep by far more.
    const float Tolerance = 0.02f;
    const float HighTimestep = 900, LowTimestep = 20;

    public bool SupportsTimestepPerRow()
    {
        try
        {
            denoiser.TimestepPerRow = true;
            var together = Run([HighTimestep, LowTimestep]);
            return AreClose(together[0], Run([HighTimestep])[0]) && AreClose(together[1], Run([LowTimestep])[0]);
        }
        catch (OnnxRuntimeException)
        {
            // It takes one timestep for all; should it take none at all, the warm-up fails with the reason.
            return false;
        }
        finally
        {
            denoiser.Unbind();
        }
    }

    float[][] Run(float[] timesteps)
    {
        var batch = denoiser.PrepareBatch(latent, conditioning.Shape, timesteps.Length);
        for (var row = 0; row < timesteps.Length; row++)
        {
            new SeededNoise(1).Fill(0, 0, batch.Input(row));
            batch.SetCondition(row, new RowCondition(timesteps[row], conditioning, 1, latent.Width, latent.Height));
        }
        batch.Run();
        return [.. timesteps.Select((_, row) => batch.Output(row).ToArray())];
    }

    static bool AreClose(float[] a, float[] b)
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
