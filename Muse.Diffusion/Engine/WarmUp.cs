using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Runs a model once at each of its sizes, and learns how many rows fit.</summary>
sealed class WarmUp(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger logger)
{
    // On a slow device more rows would delay the start and prepare little more.
    static readonly TimeSpan MaxStepTime = TimeSpan.FromSeconds(2);

    /// <exception cref="DeviceMemoryException">The device has no memory for one image of a size.</exception>
    public void Run(IReadOnlyList<(int Width, int Height)> sizes, Batcher<Slot> batcher, CancellationToken cancellation)
    {
        var conditioning = model.Encode(null);
        foreach (var (width, height) in sizes)
        {
            var timestep = model.CreateSampler(null).Plan(model.Traits.DefaultSteps, model.GetLatentShape(width, height)).Timesteps[0];
            var started = time.GetTimestamp();
            var condition = new RowCondition(timestep, conditioning, model.Traits.DefaultGuidanceScale, width, height);
            var rows = model.PreparesByShape ? RunEach(condition, batcher, cancellation) : RunDoublings(condition, batcher, cancellation);
            Decode(model.GetLatentShape(width, height), cancellation);
            var took = time.GetElapsedTime(started).TotalMilliseconds;
            EngineLog.WarmedUp(logger, model.Traits.Name, model.Traits.Device, width, height, rows, took);
        }
    }

    int MaxRows => Math.Min(options.MaxRows, (model.GuidanceEmbedded ? 1 : 2) * options.MaxBatchSize);

    // What the model's default request takes.
    int MinRows => model.GuidanceEmbedded || model.Traits.DefaultGuidanceScale <= 1 ? 1 : 2;

    // Each number of rows is a shape that the device prepares itself for. The largest first: memory is laid out once, and a device that
    // prepares for a range of shapes (TensorRT) has seen both of its ends after two.
    int RunEach(RowCondition condition, Batcher<Slot> batcher, CancellationToken cancellation)
    {
        var most = MaxRows;
        while (!Fits(most, condition, batcher, cancellation))
            most = batcher.RowLimit(condition.Width, condition.Height);
        for (var rows = 1; rows < most && rows < batcher.RowLimit(condition.Width, condition.Height); rows++)
            Fits(rows, condition, batcher, cancellation);
        return Math.Min(most, batcher.RowLimit(condition.Width, condition.Height));
    }

    // For such a device more rows need more memory, and nothing else changes.
    int RunDoublings(RowCondition condition, Batcher<Slot> batcher, CancellationToken cancellation)
    {
        int most = MaxRows, warmRows = 0;
        for (var rows = 1; ; rows = Math.Min(2 * rows, most))
        {
            var started = time.GetTimestamp();
            if (!Fits(rows, condition, batcher, cancellation))
                return warmRows;
            warmRows = rows;
            if (rows == most || time.GetElapsedTime(started) > MaxStepTime)
                return warmRows;
        }
    }

    bool Fits(int rows, RowCondition condition, Batcher<Slot> batcher, CancellationToken cancellation)
    {
        try
        {
            Denoise(rows, condition, cancellation);
            return true;
        }
        catch (DeviceMemoryException) when (rows > MinRows)
        {
            var limit = batcher.HalveRowLimit(condition.Width, condition.Height, rows);
            EngineLog.RowsHalved(logger, rows, condition.Width, condition.Height, limit);
            return false;
        }
    }

    void Denoise(int rows, RowCondition condition, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var batch = model.PrepareBatch(model.GetLatentShape(condition.Width, condition.Height), condition.Conditioning.Shape, rows);
        for (var row = 0; row < rows; row++)
        {
            batch.Input(row).Clear();
            batch.SetCondition(row, condition);
        }
        batch.Run();
    }

    void Decode(LatentShape latent, CancellationToken cancellation)
    {
        var zero = new float[latent.Length];
        model.Preview(latent, zero);
        var most = model.PreparesByShape ? Math.Min(model.DecodeBatch, options.MaxBatchSize) : 1;
        for (var count = 1; count <= most; count++)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                foreach (var image in model.Decode(latent, [.. Enumerable.Repeat(zero, count)]))
                    model.IsFlagged(image);
            }
            catch (DeviceMemoryException) when (count > 1)
            {
                // The decode loop learns the limit when it is met.
                break;
            }
        }
    }
}
