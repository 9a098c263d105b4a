using Muse.Benchmarks;

var benchmarks = new Dictionary<string, Func<string[], Task>>
{
    ["engine"] = EngineBenchmark.RunAsync,
    ["queue"] = QueueBenchmark.RunAsync,
    ["serving"] = ServingBenchmark.RunAsync,
    ["plain"] = PlainEndpoint.ServeAsync,
};
if (args.Length == 0 || !benchmarks.TryGetValue(args[0], out var benchmark))
{
    Console.Error.WriteLine($"Which benchmark? {string.Join(", ", benchmarks.Keys)}");
    return 2;
}
await benchmark(args[1..]);
return 0;
