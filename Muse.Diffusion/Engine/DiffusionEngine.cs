using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Paints up to <see cref="EngineOptions.MaxBatchSize"/> requests at once; they join and leave at every denoising step.</summary>
/// <remarks>One thread owns the slots and the denoiser; everyone else sends it messages and reads <see cref="Events"/>.</remarks>
public sealed class DiffusionEngine : IAsyncDisposable
{
    /// <summary>Makes the engine; <see cref="StartAsync"/> warms it up and lets it run.</summary>
    /// <param name="model">The model to paint with; the engine disposes it.</param>
    /// <param name="options">Batch size, row budget, mode, checkpoints.</param>
    /// <param name="time">The clock for batch delays and durations.</param>
    /// <param name="logger">Where it tells what it does.</param>
    public DiffusionEngine(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger<DiffusionEngine> logger) => throw new NotImplementedException();

    /// <summary>What the model can do.</summary>
    public ModelTraits Model => throw new NotImplementedException();

    /// <summary>How many more requests it would take now.</summary>
    public int FreeSlots => throw new NotImplementedException();

    /// <summary>What happens to requests, in order for each. Completes after <see cref="DrainAsync"/>.</summary>
    public ChannelReader<EngineEvent> Events => throw new NotImplementedException();

    /// <summary>Warms the model up at the sizes it will serve, then runs.</summary>
    public Task StartAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Gives it a request; false when it has no free slot or drains.</summary>
    /// <param name="request">What to paint.</param>
    /// <param name="checkpoint">The state of an <see cref="EngineEvent.Checkpointed"/> or <see cref="EngineEvent.HandedBack"/> to go on from; one that doesn't fit is logged and the request starts over.</param>
    public bool TrySubmit(GenerationRequest request, ReadOnlyMemory<byte> checkpoint = default) => throw new NotImplementedException();

    /// <summary>Takes a request out at the next step; it ends as <see cref="EngineEvent.Cancelled"/>. Unknown ids are ignored.</summary>
    public void Cancel(string requestId) => throw new NotImplementedException();

    /// <summary>Takes no more requests, hands back those it has after the step in progress (finished ones still complete), and ends <see cref="Events"/>.</summary>
    public Task DrainAsync() => throw new NotImplementedException();

    /// <summary>Drains and frees the model.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
