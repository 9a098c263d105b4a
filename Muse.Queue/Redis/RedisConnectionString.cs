using System.Globalization;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The connection string <c>redis</c>: StackExchange.Redis' format, or a <c>redis://</c> or <c>rediss://</c> URI.</summary>
sealed class RedisConnectionString
{
    const string Forms = "It must be host:port,option=value,... (StackExchange.Redis) or redis://user:password@host:port/database, "
        + "with rediss:// for TLS.";

    /// <summary>
    /// The timeout of a command where the text sets none, milliseconds. After it the API answers 503 and a worker tries again.
    /// </summary>
    const int CommandTimeout = 3000;

    readonly Action<ConfigurationOptions> applyUri = static _ => { };

    RedisConnectionString(string text) => StackExchange = text;

    RedisConnectionString(string endpoint, Action<ConfigurationOptions> applyUri) => (StackExchange, this.applyUri) = (endpoint, applyUri);

    /// <summary>
    /// The part in StackExchange.Redis' format. For a URI, it is the endpoint only: that format can't hold every password.
    /// </summary>
    public string StackExchange { get; }

    // It is in asyncTimeout too.
    bool SetsTimeout => StackExchange.Contains("syncTimeout=", StringComparison.OrdinalIgnoreCase);

    /// <summary>Sets what the URI says besides the endpoint, and Muse's timeout of commands where the text sets none.</summary>
    public void Apply(ConfigurationOptions options)
    {
        applyUri(options);
        if (!SetsTimeout)
            (options.AsyncTimeout, options.SyncTimeout) = (CommandTimeout, CommandTimeout);
    }

    /// <summary>Reads a connection string.</summary>
    /// <exception cref="FormatException">It is missing or invalid, or asks for something that Muse does not support.</exception>
    public static RedisConnectionString Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            throw new FormatException($"ConnectionStrings:redis is missing. {Forms}");
        text = text.Trim();
        var parsed = text.Contains("://", StringComparison.Ordinal) ? ParseUri(text) : new RedisConnectionString(text);
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(parsed.StackExchange);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            throw new FormatException($"ConnectionStrings:redis is invalid: {exception.Message.TrimEnd('.')}. {Forms}", exception);
        }

        if (options.EndPoints.Count == 0)
            throw new FormatException($"ConnectionStrings:redis names no host. {Forms}");
        if (!options.ChannelPrefix.IsNullOrEmpty)
        {
            throw new FormatException("ConnectionStrings:redis sets channelPrefix, which Muse does not support: "
                + "its scripts publish on channels that begin with muse: already. Remove channelPrefix.");
        }

        if (options.Proxy != Proxy.None)
        {
            throw new FormatException("ConnectionStrings:redis sets proxy, which Muse does not support: "
                + "it needs scripts and subscriptions. Connect to Redis directly.");
        }

        return parsed;
    }

    static RedisConnectionString ParseUri(string text)
    {
        // The text may contain a password, so errors do not repeat it.
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("redis" or "rediss") || uri.Host.Length == 0)
            throw new FormatException($"ConnectionStrings:redis is not a valid URI of Redis. {Forms}");
        var (user, password) = ReadUserInfo(uri.UserInfo);
        var path = uri.AbsolutePath.Trim('/');
        int? database = null;
        if (path.Length > 0)
            database = ReadDatabase(path);
        foreach (var part in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.Split('=', 2) is not ["db" or "database", var value])
                throw new FormatException($"ConnectionStrings:redis has an option in its URI other than db. {Forms}");
            database = ReadDatabase(value);
        }

        var isTls = uri.Scheme == "rediss";
        return new($"{uri.Host}:{(uri.IsDefaultPort || uri.Port < 0 ? 6379 : uri.Port)}", options =>
        {
            options.User = user;
            options.Password = password;
            options.Ssl = isTls;
            options.DefaultDatabase = database;
        });
    }

    /// <summary>As redis-cli reads it: a single part is the password.</summary>
    static (string? User, string? Password) ReadUserInfo(string userInfo) => userInfo.Split(':', 2) switch
    {
        [""] => (null, null),
        [var password] => (null, Uri.UnescapeDataString(password)),
        [var user, var password] => (user.Length == 0 ? null : Uri.UnescapeDataString(user), Uri.UnescapeDataString(password)),
        _ => (null, null),
    };

    static int ReadDatabase(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var database)
        ? database
        : throw new FormatException($"ConnectionStrings:redis names the database '{text}', which must be a number from 0.");
}
