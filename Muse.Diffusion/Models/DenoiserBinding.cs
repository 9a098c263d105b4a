using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>The denoiser bound to its buffers for one number of rows of one shape.</summary>
sealed class DenoiserBinding : DenoiserBatch, IDisposable
{
    readonly Denoiser denoiser;
    readonly LatentShape latent;
    readonly OrtIoBinding binding;
    readonly RunOptions run = new();
    readonly List<(string Name, OrtValue Value)> changing = [], lasting = [];
    readonly OrtValue output;
    int boundVersion = -1;

    public DenoiserBinding(Denoiser denoiser, LatentShape latent, PromptEmbedding like, int rows)
    {
        (this.denoiser, this.latent, Rows) = (denoiser, latent, rows);
        binding = denoiser.Graph.Session.CreateIoBinding();
        long[] shape = [rows, latent.Channels, latent.Height, latent.Width];
        changing.Add((Denoiser.Sample, denoiser.In.View(shape)));
        changing.Add((Denoiser.Timestep, denoiser.Times.View(denoiser.TimestepIsScalar ? [] : [denoiser.TimestepPerRow ? rows : 1])));
        lasting.Add((Denoiser.HiddenStates, denoiser.Hidden.View(rows, like.Tokens, like.HiddenStates.Length / like.Tokens)));
        if (denoiser.Pooled is { } pooled)
            lasting.Add((Denoiser.TextEmbeds, pooled.View(rows, denoiser.PooledLength)));
        if (denoiser.Sizes is { } sizes)
            lasting.Add((Denoiser.TimeIds, sizes.View(rows, 6)));
        if (denoiser.Guidance is { } guidance)
            lasting.Add((Denoiser.GuidanceEmbedding, guidance.View(rows, denoiser.GuidanceLength)));
        output = denoiser.Out.View(shape);
        binding.BindOutput(denoiser.OutputName, output);
    }

    /// <summary>How many rows run.</summary>
    public int Rows { get; }

    public override Span<float> Input(int row) => denoiser.In.Values(row * latent.Length, latent.Length);

    public override ReadOnlySpan<float> Output(int row) => denoiser.Out.Values(row * latent.Length, latent.Length);

    public override void SetCondition(int row, in RowCondition condition)
    {
        if (denoiser.TimestepPerRow || row == 0)
            denoiser.Times.Write(row, [condition.Timestep]);
        denoiser.Hold(row, condition);
    }

    public override void Run()
    {
        var values = Rows * latent.Length;
        denoiser.In.Push(values);
        var started = Stopwatch.GetTimestamp();
        try
        {
            RunInWhatMemoryThereIs();
        }
        catch (OnnxRuntimeException e) when (Graph.IsOutOfMemory(e))
        {
            denoiser.Ran(null);
            throw new DeviceMemoryException($"{Rows} rows of {latent.Channels}×{latent.Height}×{latent.Width} need more memory than there is.", e);
        }
        denoiser.Ran(Stopwatch.GetElapsedTime(started));
        denoiser.Out.Pull(values);
    }

    // A device keeps what other shapes needed, in pieces that may be too small for this one. A run that is told so gives them back at its end, well or ill.
    void RunInWhatMemoryThereIs()
    {
        try
        {
            RunOnce(run);
        }
        catch (OnnxRuntimeException e) when (!denoiser.Graph.Provider.OnHost && Graph.IsOutOfMemory(e))
        {
            try
            {
                using var shrinking = new RunOptions();
                shrinking.AddRunConfigEntry("memory.enable_memory_arena_shrinkage", $"gpu:{denoiser.Graph.Provider.DeviceId}");
                RunOnce(shrinking);
            }
            catch (OnnxRuntimeException)
            {
                // It was still too little, or the provider has no such memory to give back.
                RunOnce(run);
            }
        }
    }

    void RunOnce(RunOptions options)
    {
        // The host's memory is read in place; a device gets a copy, made by binding, on a stream of its own.
        var copied = !denoiser.Graph.Provider.OnHost;
        if (boundVersion < 0 || (copied && boundVersion != denoiser.ConditionsVersion))
            Bind(lasting);
        if (boundVersion < 0 || copied)
            Bind(changing);
        boundVersion = denoiser.ConditionsVersion;
        if (copied)
            binding.SynchronizeBoundInputs();
        denoiser.Graph.Session.RunWithBinding(options, binding);
        if (copied)
            binding.SynchronizeBoundOutputs();
    }

    /// <summary>Gives back the device's copies of the inputs, as while another number of rows runs.</summary>
    public void Release()
    {
        binding.ClearBoundInputs();
        boundVersion = -1;
    }

    public void Dispose()
    {
        binding.Dispose();
        foreach (var (_, value) in changing)
            value.Dispose();
        foreach (var (_, value) in lasting)
            value.Dispose();
        output.Dispose();
        run.Dispose();
    }

    void Bind(List<(string Name, OrtValue Value)> inputs)
    {
        foreach (var (name, value) in inputs)
            binding.BindInput(name, value);
    }
}
