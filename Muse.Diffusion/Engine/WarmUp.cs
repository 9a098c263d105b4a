using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Runs a model once through all it will do, and learns how many rows fit.</summary>
sealed class WarmUp(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger logger)
{
    // On a slow device more rows would only delay the start; there is little left to prepare by then.
    static readonly TimeSpan Enough = TimeSpan.FromSeconds(2);

    public void Run(Batcher<Slot> batcher, CancellationToken cancellation)
    {
        var traits = model.Traits;
        var (width, height) = (traits.DefaultWidth, traits.DefaultHeight);
        long started = time.GetTimestamp();
        var embedding = model.Encode("", negative: true, minTokens: 0);
        var latent = model.Latent(width, height);
        float timestep = model.Sampler(null).Plan(traits.DefaultSteps).Timesteps[0];
        var condition = new RowCondition(timestep, embedding, traits.DefaultGuidanceScale, width, height);
        int most = Math.Min(options.MaxRows, 2 * options.MaxBatchSize), warm = 0;
        for (int rows = 1; ; rows = Math.Min(2 * rows, most))
        {
            cancellation.ThrowIfCancellationRequested();
            long run = time.GetTimestamp();
            try
            {
                Denoise(latent, condition, rows);
            }
            catch (DeviceMemoryException) when (rows > 2)
            {
                EngineLog.RowsHalved(logger, rows, width, height, batcher.Halve(width, height, rows));
                break;
            }
            warm = rows;
            if (rows == most || time.GetElapsedTime(run) > Enough)
                break;
        }
        var zero = new float[latent.Length];
        model.Decode(latent, [zero]);
        model.Preview(latent, zero);
        EngineLog.WarmedUp(logger, traits.Name, traits.Device, warm, width, height, time.GetElapsedTime(started).TotalMilliseconds);
    }

    void Denoise(LatentShape latent, RowCondition condition, int rows)
    {
        var batch = model.Batch(latent, condition.Embedding.Tokens, rows);
        for (int row = 0; row < rows; row++)
        {
            batch.Input(row).Clear();
            batch.SetCondition(row, condition);
        }
        batch.Run();
    }
}
