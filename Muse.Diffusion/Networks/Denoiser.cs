using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>A model's denoiser, run over any number of rows in buffers that stay where they are.</summary>
/// <remarks>
/// The family's table lists its inputs. Each number of rows of each shape has one <see cref="DenoiserBinding"/>, all over the same buffers.
/// For a device with memory of its own, inputs are copied there when they are bound, those that don't change from step to step only when
/// they do, and for one number of rows at a time.
/// </remarks>
sealed class Denoiser : IDisposable
{
    // Enough for every number of rows of a few sizes; more only costs binding them again.
    const int MaxBindings = 256;

    readonly HostMemory memory;
    readonly Dictionary<(LatentShape, ConditioningShape, int Rows), DenoiserBinding> bindings = [];
    readonly RowPadding? padding;
    RowCondition[] written = [];
    ConditioningShape? writtenShape;
    DenoiserBinding? inUse;

    public Denoiser(Graph graph, IReadOnlyList<DenoiserInput> table, LatentCodec latents)
    {
        Graph = graph;
        Latents = latents;
        memory = HostMemory.For(graph.Session, graph.Provider);
        padding = graph.Provider.KeepsOneShape ? new RowPadding() : null;
        graph.AllowInputs([.. table.Select(input => input.Name)]);
        var ports = table.Where(input => !input.IsOptional || graph.Input(input.Name) is not null)
            .Select(input => (Input: input, Port: graph.RequiredInput(input.Name))).ToList();
        DenoiserChecks.CheckInputs(graph, ports);
        var (latent, output) = (ports.First(p => p.Input.Source == InputSource.Latent).Port, graph.Output("out_sample"));
        ImageChannels = table.First(input => input.Source == InputSource.Latent).ImageChannels;
        DenoiserChecks.CheckOutput(graph, latent, output, latents, ImageChannels);
        Inputs = ports.ConvertAll(p => new InputBuffer(p.Input, p.Port, memory));
        (In, Times) = (Inputs.First(i => i.Source == InputSource.Latent).Buffer, Inputs.First(i => i.Source == InputSource.Timestep));
        Out = new GrowingBuffer(output.Type, memory);
        OutputName = output.Name;
        (Channels, Height, Width) = latents.PatchSize == 1
            ? (latent.Dimensions[1] - ImageChannels, latent.Dimensions[2], latent.Dimensions[3])
            : (latent.Dimensions[2] / (latents.PatchSize * latents.PatchSize), null, null);
        TimestepMayVary = Times.Port.Dimensions is [null];
    }

    public Graph Graph { get; }

    public LatentCodec Latents { get; }

    /// <summary>Channels that it takes behind the latent's, for the mask and the latent of the masked image; 0 for none.</summary>
    public int ImageChannels { get; }

    /// <summary>What the graph fixes of the latent's shape; null for what may vary.</summary>
    public int? Channels { get; }
    public int? Height { get; }
    public int? Width { get; }

    /// <summary>
    /// Whether the graph takes any number of timesteps. Only a run shows whether it works with one per row (<see cref="TimestepProbe"/>).
    /// </summary>
    public bool TimestepMayVary { get; }

    /// <summary>Whether each row is given a timestep of its own.</summary>
    public bool TimestepPerRow { get; set; }

    internal string OutputName { get; }
    internal IReadOnlyList<InputBuffer> Inputs { get; }
    internal GrowingBuffer In { get; }
    internal GrowingBuffer Out { get; }
    internal InputBuffer Times { get; }

    /// <summary>How many steps of one size are to run before the next size has its turn.</summary>
    public int StepsPerTurn => padding?.StepsPerPreparation ?? 1;

    /// <summary>Counts the changes of the rows' conditioning.</summary>
    internal int ConditionsVersion { get; private set; }

    /// <summary>Refuses conditioning that the graph does not take.</summary>
    /// <exception cref="ModelFolderException">A tensor has another shape than the graph's input.</exception>
    public void CheckConditioning(Conditioning sample)
    {
        foreach (var input in Inputs)
        {
            if (input.Source == InputSource.Conditioning)
                DenoiserChecks.CheckTensor(Graph, input.Port, sample.Tensors[input.FindTensor(sample)]);
        }
    }

    /// <summary>
    /// The rows of one step, and perhaps more whose output is not used (<see cref="RowPadding"/>). Valid until the next call.
    /// </summary>
    /// <exception cref="DeviceMemoryException">There is no memory for so many.</exception>
    public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows)
    {
        rows = padding?.RowsFor(latent, conditioning, rows) ?? rows;
        var key = (latent, conditioning, rows);
        if (bindings.TryGetValue(key, out var binding) && writtenShape == conditioning)
            return Use(binding);
        try
        {
            Reserve(latent, conditioning, rows);
            if (bindings.Count >= MaxBindings)
                Unbind();
            if (!bindings.TryGetValue(key, out binding))
                bindings[key] = binding = new DenoiserBinding(this, latent, conditioning, rows);
            return Use(binding);
        }
        catch (Exception e) when (e is OutOfMemoryException || e is OnnxRuntimeException exception && Graph.IsOutOfMemory(exception))
        {
            padding?.OnOutOfMemory();
            throw new DeviceMemoryException($"There is no memory for {rows} rows.", e) { RowsRun = rows };
        }
    }

    /// <summary>Writes a row's conditioning, unless it is in the buffers already.</summary>
    internal void EnsureCondition(int row, in RowCondition condition)
    {
        // The timestep changes at every step and has a buffer of its own.
        var lasting = condition with { Timestep = 0 };
        if (written[row] == lasting)
            return;
        written[row] = lasting;
        ConditionsVersion++;
        foreach (var input in Inputs)
            input.Write(row, condition);
    }

    /// <summary>Reports how long the last rows took.</summary>
    internal void OnRan(TimeSpan duration) => padding?.OnRan(duration);

    /// <summary>Reports that the last rows did not fit into the device's memory.</summary>
    internal void OnOutOfMemory() => padding?.OnOutOfMemory();

    /// <summary>Drops all bindings, as after a change of <see cref="TimestepPerRow"/>.</summary>
    public void Unbind()
    {
        foreach (var binding in bindings.Values)
            binding.Dispose();
        bindings.Clear();
        inUse = null;
    }

    public void Dispose()
    {
        Unbind();
        foreach (var input in Inputs)
            input.Buffer.Dispose();
        Out.Dispose();
        memory.Dispose();
    }

    // A device's copies for another number of rows are seldom of use again, as those rows' prompts change with their number.
    DenoiserBinding Use(DenoiserBinding binding)
    {
        if (inUse is not null && inUse != binding && !Graph.Provider.OnHost)
            inUse.Release();
        return inUse = binding;
    }

    void Reserve(LatentShape latent, ConditioningShape conditioning, int rows)
    {
        var fits = Out.Fits(rows * latent.Length);
        foreach (var input in Inputs)
            fits &= input.Fits(rows, latent, conditioning);
        if (!fits)
        {
            Unbind();
            Out.Reserve(rows * latent.Length);
            foreach (var input in Inputs)
                input.Reserve(rows, latent, conditioning);
        }
        // Rows of another length lie elsewhere in the buffer.
        if (!fits || writtenShape != conditioning || written.Length < rows)
            written = new RowCondition[Math.Max(rows, written.Length)];
        writtenShape = conditioning;
    }
}
