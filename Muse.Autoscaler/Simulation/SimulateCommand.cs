using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace Muse.Autoscaler;

/// <summary>The command <c>simulate</c>: what the policies would do, in figures and a picture, without a device.</summary>
public static class SimulateCommand
{
    /// <summary>How to call it.</summary>
    public const string Usage = """
        simulate [--policy drain|step|both] [--trace ramp|daily|burst|onoff] [--cold-start SECONDS] [--seed NUMBER] [--out FOLDER]
                 [--target SECONDS] [--interval SECONDS] [--window SECONDS] [--tolerance SHARE] [--min WORKERS] [--max WORKERS]
                 [--step-ms MILLISECONDS] [--picture-ms MILLISECONDS] [--steps NUMBER] [--slots PICTURES]
                 [--crash-after SECONDS] [--never-ready SHARE] [--rate PICTURES-PER-SECOND]
        """;

    /// <summary>Simulates, prints, and draws where <c>--out</c> names a folder.</summary>
    /// <returns>The exit status: 0, or 2 for arguments that it does not understand.</returns>
    public static int Run(string[] arguments, TextWriter output, TextWriter errors)
    {
        try
        {
            var options = Arguments.Parse(arguments, Usage);
            var policies = options.Text("policy", "both") is var policy and not "both" ? [policy] : new[] { DrainPolicy.Name, StepPolicy.Name };
            var records = policies.Select(name => Simulation.Run(Settings(options, name))).ToList();
            var folder = options.Text("out", "");
            options.RefuseUnknown();
            Print(records, output);
            if (folder.Length > 0)
            {
                foreach (var record in records)
                    output.WriteLine($"drawn: {Draw(record, folder)}");
            }

            return 0;
        }
        catch (ArgumentException e)
        {
            errors.WriteLine(e.Message);
            return 2;
        }
    }

    static SimulationSettings Settings(Arguments options, string policy)
    {
        var name = options.Text("trace", "ramp");
        var coldStart = options.Seconds("cold-start", 60);
        var defaults = new AutoscalerOptions();
        var autoscaler = new AutoscalerOptions
        {
            Policy = policy,
            MinWorkers = (int)options.Number("min", 1),
            MaxWorkers = (int)options.Number("max", 40),
            Interval = options.Seconds("interval", defaults.Interval.TotalSeconds),
            TargetWait = options.Seconds("target", defaults.TargetWait.TotalSeconds),
            StabilisationWindow = options.Seconds("window", defaults.StabilisationWindow.TotalSeconds),
            Tolerance = options.Number("tolerance", defaults.Tolerance),
            ColdStart = coldStart,
            PicturesPerSecond = options.Number("rate", 0) is > 0 and var rate ? rate : null,
            Slots = (int)options.Number("slots", 12),
        };
        List<ValidationResult> wrong = [];
        if (!Validator.TryValidateObject(autoscaler, new(autoscaler), wrong, validateAllProperties: true))
            throw new ArgumentException(string.Join(Environment.NewLine, wrong.Select(one => one.ErrorMessage)));
        return new()
        {
            Trace = LoadTrace.Find(name) ?? throw new ArgumentException($"--trace must be one of {string.Join(", ", LoadTrace.Names)}; it is {name}."),
            Autoscaler = autoscaler,
            ColdStart = coldStart,
            Seed = (int)options.Number("seed", 1),
            Device = new(options.Number("step-ms", 40) / 1000, options.Number("picture-ms", 10) / 1000, (int)options.Number("steps", 20), autoscaler.Slots),
            MeanTimeToCrash = options.Number("crash-after", 0) is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : null,
            NeverReady = options.Number("never-ready", 0),
        };
    }

    static void Print(IReadOnlyList<SimulationRecord> records, TextWriter output)
    {
        var settings = records[0].Settings;
        var optimum = Clairvoyant.Plan(settings);
        var planned = Simulation.Run(settings with { Schedule = optimum.At });
        output.WriteLine(Invariant($"trace {settings.Trace.Name}, {settings.Trace.Length / 60:0} min, seed {settings.Seed}; cold start {settings.ColdStart.TotalSeconds:0} s; {settings.Autoscaler.MinWorkers} to {settings.Autoscaler.MaxWorkers} workers; target {settings.Autoscaler.TargetWait.TotalSeconds:0.#} s from request to picture"));
        output.WriteLine($"{settings.Device}");
        output.WriteLine();
        output.WriteLine("policy        answered     p50     p95     p99   in target   after 1st   worker-hours   of optimum   scalings   reversals");
        foreach (var record in records)
            Row(record.Settings.Autoscaler.Policy, record);
        Row("clairvoyant", planned);
        output.WriteLine();
        output.WriteLine("waits in seconds; after 1st: in target of those that came after the first scale-up was complete; reversals: the most within a stabilisation window");

        void Row(string name, SimulationRecord record) => output.WriteLine(Invariant(
            $"{name,-12}{record.Answered,10}{record.Percentile(0.50),8:0.0}{record.Percentile(0.95),8:0.0}{record.Percentile(0.99),8:0.0}{record.WithinTarget(),12:0.0%}{record.WithinTarget(record.FirstScaleUpComplete ?? 0),12:0.0%}{record.WorkerHours,15:0.00}{record.WorkerHours / optimum.WorkerHours,13:0%}{record.Scalings,11}{record.ReversalsInAWindow(),12}"));
    }

    static string Draw(SimulationRecord record, string folder)
    {
        Directory.CreateDirectory(folder);
        var settings = record.Settings;
        var path = Path.Combine(folder, $"{settings.Trace.Name}-{settings.Autoscaler.Policy}.png");
        ScalingPlot.Save(path, $"{settings.Autoscaler.Policy} on {settings.Trace.Name} (simulation, seed {settings.Seed}; {settings.Device})",
            settings.Trace.Unit, record.Points);
        return path;
    }

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
