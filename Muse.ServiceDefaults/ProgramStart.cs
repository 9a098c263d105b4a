using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Muse.ServiceDefaults;

/// <summary>A section of a program's settings.</summary>
/// <param name="Name">Its name in the configuration, e.g. <c>Queue</c>.</param>
/// <param name="Options">The options that it is bound to.</param>
public readonly record struct SettingsSection(string Name, Type Options);

/// <summary>A reason why a program can't start that its user can fix. The message is one sentence.</summary>
public sealed class CannotStartException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Starts a Muse program. A setting that stops it is reported in one sentence with its name and what is allowed.</summary>
public static partial class ProgramStart
{
    /// <summary>Builds and runs a program.</summary>
    /// <param name="program">Its name.</param>
    /// <param name="sections">Its settings.</param>
    /// <param name="run">Builds the program, checks it with <see cref="CheckSettings"/>, runs it, and returns the exit code.</param>
    /// <returns>The exit code; 1 if the program could not start.</returns>
    public static async Task<int> RunAsync(string program, IReadOnlyList<SettingsSection> sections, Func<Task<int>> run)
    {
        sections = [.. sections, new("Telemetry", typeof(TelemetryOptions))];
        try
        {
            return await run();
        }
        catch (Exception exception) when (Sentence(exception, sections) is { } sentence)
        {
            await Console.Error.WriteLineAsync($"{program} can't start: {sentence}");
            return 1;
        }
    }

    /// <summary>Runs a program until it is stopped, which may happen while it starts.</summary>
    public static async Task RunUntilStoppedAsync(this IHost host)
    {
        var stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        try
        {
            await host.StartAsync();
            await host.WaitForShutdownAsync();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await host.StopAsync(); // The services that have started must still stop.
        }
    }

    /// <summary>Checks the settings. The host does so too, but logs a stack trace.</summary>
    public static void CheckSettings(this IHost app) => app.Services.GetService<IStartupValidator>()?.Validate();

    static string? Sentence(Exception exception, IReadOnlyList<SettingsSection> sections) => exception switch
    {
        CannotStartException { Message: var message } => message,
        IOException { InnerException: AddressInUseException, Message: var message } => message,
        OptionsValidationException invalid => string.Join(' ', invalid.Failures.Select(failure =>
            InvalidValue(failure, sections.FirstOrDefault(section => section.Options == invalid.OptionsType).Name))),
        AggregateException { InnerExceptions: var several } when several.All(each => each is OptionsValidationException) =>
            string.Join(' ', several.Select(each => Sentence(each, sections))),
        InvalidOperationException { Message: var message } when ConversionError().Match(message) is { Success: true } found =>
            WrongType(found.Groups["path"].Value, found.Groups["value"].Value, sections),
        _ => null,
    };

    /// <summary>The message of a validation attribute, with the setting's full name. Other checks name their setting themselves.</summary>
    static string InvalidValue(string failure, string? section)
    {
        if (section is null || AttributeMessage().Match(failure) is not { Success: true } found)
            return failure;
        var (member, message) = (found.Groups["member"].Value, found.Groups["error"].Value);
        var path = $"{section}:{member}";
        foreach (var name in new[] { $"The field {member} ", $"The {member} field " })
        {
            if (message.StartsWith(name, StringComparison.Ordinal))
                return WithVariable($"{path} {message[name.Length..]}", path);
        }

        return WithVariable($"{path}: {message}", path);
    }

    static string WrongType(string path, string value, IReadOnlyList<SettingsSection> sections)
    {
        var allowed = Property(path, sections) is { } property ? Allowed(property) : "something else";
        return WithVariable($"{path} must be {allowed}; it is '{value}'.", path);
    }

    /// <summary>Adds the name of the environment variable, if it set the value.</summary>
    static string WithVariable(string sentence, string path)
    {
        var setting = MuseSettings.All.FirstOrDefault(each => each.Options.Contains(path, StringComparer.OrdinalIgnoreCase));
        var variable = setting.Variable;
        return variable is not null && Environment.GetEnvironmentVariable(variable) is { Length: > 0 }
            ? $"{sentence.TrimEnd('.')} ({variable} sets it)."
            : sentence;
    }

    static PropertyInfo? Property(string path, IReadOnlyList<SettingsSection> sections)
    {
        foreach (var section in sections.OrderByDescending(section => section.Name.Length))
        {
            if (!path.StartsWith(section.Name + ':', StringComparison.OrdinalIgnoreCase))
                continue;
            const BindingFlags flags = BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase;
            PropertyInfo? property = null;
            foreach (var name in path[(section.Name.Length + 1)..].Split(':'))
                property = (property?.PropertyType ?? section.Options).GetProperty(name, flags);
            return property;
        }
        return null;
    }

    static string Allowed(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var kind = type == typeof(TimeSpan) ? "a duration such as 00:00:30"
            : type == typeof(bool) ? "true or false"
            : type == typeof(int) || type == typeof(long) ? "a whole number"
            : type == typeof(double) || type == typeof(float) ? "a number"
            : type == typeof(Uri) ? "an address"
            : type.IsEnum ? string.Join(" or ", Enum.GetNames(type))
            : $"a {type.Name}";
        return property.GetCustomAttribute<RangeAttribute>() is { } range
            ? string.Create(CultureInfo.InvariantCulture, $"{kind}, from {range.Minimum} to {range.Maximum}")
            : kind;
    }

    [GeneratedRegex("members: '(?<member>[^']+)' with the error: '(?<error>.*)'\\.$", RegexOptions.Singleline)]
    private static partial Regex AttributeMessage();

    [GeneratedRegex("^Failed to convert configuration value '(?<value>.*)' at '(?<path>[^']+)' to type", RegexOptions.Singleline)]
    private static partial Regex ConversionError();
}
