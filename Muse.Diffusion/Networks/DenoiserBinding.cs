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

    public DenoiserBinding(Denoiser denoiser, LatentShape latent, ConditioningShape conditioning, int rows)
    {
        (this.denoiser, this.latent, RowsRun) = (denoiser, latent, rows);
        binding = denoiser.Graph.Session.CreateIoBinding();
        foreach (var input in denoiser.Inputs)
        {
            var value = input.View(rows, latent, conditioning, denoiser.Latents, denoiser.TimestepPerRow);
            (input.Source is InputSource.Latent or InputSource.Timestep ? changing : lasting).Add((input.Input.Name, value));
        }
        output = denoiser.Out.View(denoiser.Latents.InputShape(latent, rows));
        binding.BindOutput(denoiser.OutputName, output);
    }

    /// <inheritdoc/>
    public override int RowsRun { get; }

    public override Span<float> Input(int row) => denoiser.In.Values(row * InputLength, latent.Length);

    public override ReadOnlySpan<float> Output(int row) => denoiser.Out.Values(row * latent.Length, latent.Length);

    public override void SetCondition(int row, in RowCondition condition)
    {
        if (denoiser.TimestepPerRow || row == 0)
            denoiser.Times.WriteTimestep(row, condition.Timestep);
        denoiser.EnsureCondition(row, condition);
        if (denoiser.ImageChannels > 0)
            WriteImageChannels(row, condition.ImageChannels);
    }

    public override void Run()
    {
        denoiser.In.Push(RowsRun * InputLength);
        var started = Stopwatch.GetTimestamp();
        try
        {
            RunAndShrinkIfNeeded();
        }
        catch (OnnxRuntimeException e) when (Graph.IsOutOfMemory(e))
        {
            denoiser.OnOutOfMemory();
            var message = $"{RowsRun} rows of {latent.Channels}×{latent.Height}×{latent.Width} need more memory than there is.";
            throw new DeviceMemoryException(message, e) { RowsRun = RowsRun };
        }
        denoiser.OnRan(Stopwatch.GetElapsedTime(started));
        denoiser.Out.Pull(RowsRun * latent.Length);
    }

    int InputLength => latent.Length + denoiser.ImageChannels * latent.Height * latent.Width;

    void WriteImageChannels(int row, float[]? values)
    {
        var channels = denoiser.In.Values(row * InputLength + latent.Length, InputLength - latent.Length);
        if (values is null)
            channels.Clear();
        else
            values.CopyTo(channels);
    }

    // A device keeps the memory of other shapes in pieces that may be too small for this one. A run with this option gives them back at its
    // end, even if it fails.
    void RunAndShrinkIfNeeded()
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
