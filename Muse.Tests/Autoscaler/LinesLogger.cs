using Microsoft.Extensions.Logging;

namespace Muse.Tests.Autoscaler;

/// <summary>Keeps the lines that were logged.</summary>
sealed class LinesLogger : ILoggerProvider
{
    readonly List<string> lines = [];

    public IReadOnlyList<string> All { get { lock (lines) return [.. lines]; } }

    public ILogger<T> For<T>() =>
        LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(this)).CreateLogger<T>();

    public ILogger CreateLogger(string categoryName) => new Lines(lines);

    public void Dispose() { }

    sealed class Lines(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (lines)
                lines.Add(formatter(state, exception));
        }
    }
}
