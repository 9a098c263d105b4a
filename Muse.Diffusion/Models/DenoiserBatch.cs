namespace Muse.Diffusion;

/// <summary>The rows of one denoising step, in buffers that the model owns.</summary>
public abstract class DenoiserBatch
{
    /// <summary>How many rows run: the requested ones, and perhaps padding behind them.</summary>
    public abstract int RowsRun { get; }

    /// <summary>The buffer for the row's latent, as the sampler scaled it; <see cref="LatentShape.Length"/> values.</summary>
    public abstract Span<float> Input(int row);

    /// <summary>Sets the row's timestep, conditioning and further inputs.</summary>
    public abstract void SetCondition(int row, in RowCondition condition);

    /// <summary>Runs the denoiser over all rows.</summary>
    /// <exception cref="DeviceMemoryException">The rows don't fit into the device's memory.</exception>
    public abstract void Run();

    /// <summary>The denoiser's prediction for the row; <see cref="LatentShape.Length"/> values.</summary>
    public abstract ReadOnlySpan<float> Output(int row);
}
