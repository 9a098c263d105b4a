using System.Buffers;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Options;

namespace Muse.Queue;

/// <summary>
/// The optional object store (S3) for the bytes of images and of the inputs of edits. Redis holds pointers to its objects.
/// </summary>
/// <remarks>
/// Keys are <c>{prefix}{model}/images/{day}/{job}/{index}-{random}.{format}</c> and <c>{prefix}{model}/inputs/{day}/{job}/{random}</c>.
/// An object is never overwritten: each attempt has a key of its own. Methods throw <see cref="ObjectStoreUnavailableException"/> while
/// the store is unavailable.
/// </remarks>
sealed class ObjectStore : IDisposable
{
    /// <summary>The folder of completed images.</summary>
    public const string Images = "images";

    /// <summary>The folder of edits' inputs.</summary>
    public const string Inputs = "inputs";

    /// <summary>The media type of an input: the compressed pixels of the image, then those of the mask.</summary>
    const string InputType = "application/octet-stream";

    /// <summary>How often the SDK sends a request again after an error, with increasing pauses.</summary>
    const int Retries = 2;

    readonly ObjectStoreOptions options;
    readonly TimeProvider time;
    readonly string root;
    readonly AmazonS3Client? client, publicClient;

    public ObjectStore(IOptions<ObjectStoreOptions> options, IOptions<QueueOptions> queue, TimeProvider time)
    {
        (this.options, this.time) = (options.Value, time);
        root = $"{options.Value.Prefix}{queue.Value.Model}/";
        if (!Enabled)
            return;
        client = CreateClient(options.Value.Endpoint);
        publicClient = options.Value.PublicEndpoint is { } address ? CreateClient(address) : client;
    }

    /// <summary>Whether there is an object store.</summary>
    public bool Enabled => options.Enabled;

    /// <summary>The settings.</summary>
    public ObjectStoreOptions Options => options;

    /// <summary>A new key for an image.</summary>
    public string NewImageKey(string jobId, int index, OutputFormat format) =>
        NewKey(Images, jobId, string.Create(CultureInfo.InvariantCulture, $"{index}-")) + "." + Extension(format);

    /// <summary>A new key for a job's input.</summary>
    public string NewInputKey(string jobId) => NewKey(Inputs, jobId, "");

    /// <summary>Stores an image.</summary>
    /// <returns>The pointer to it.</returns>
    public Task<StoredObject> WriteImageAsync(string key, StoredImage image, CancellationToken cancellation) =>
        WriteAsync(key, image.Bytes, $"image/{Extension(image.Format)}", cancellation);

    /// <summary>Stores a job's input.</summary>
    /// <returns>The pointer to it.</returns>
    public Task<StoredObject> WriteInputAsync(string key, byte[] bytes, CancellationToken cancellation) =>
        WriteAsync(key, bytes, InputType, cancellation);

    async Task<StoredObject> WriteAsync(string key, ReadOnlyMemory<byte> bytes, string mediaType, CancellationToken cancellation)
    {
        await TryAsync(async s3 =>
        {
            using var content = ToStream(bytes);
            return await s3.PutObjectAsync(new PutObjectRequest
            {
                BucketName = options.Bucket,
                Key = key,
                ContentType = mediaType,
                InputStream = content,
                AutoCloseStream = false,
                UseChunkEncoding = false, // Some services do not know the chunks that the SDK signs one by one.
            }, cancellation);
        }, cancellation);
        return new(key, bytes.Length);
    }

    /// <summary>Reads an object as a whole, so that a store that fails halfway gives an error and not a part of an image.</summary>
    /// <returns>Pooled memory that begins with the object. Null if there is no such object, or one of another length.</returns>
    public Task<IMemoryOwner<byte>?> ReadAsync(StoredObject stored, CancellationToken cancellation) =>
        TryAsync(async s3 =>
        {
            IMemoryOwner<byte>? memory = null;
            try
            {
                using var response = await s3.GetObjectAsync(options.Bucket, stored.Key, cancellation);
                if (response.ContentLength != stored.Length)
                    return null;
                memory = MemoryPool<byte>.Shared.Rent(stored.Length);
                // The SDK's own limit ends with the headers.
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                limit.CancelAfter(options.Timeout);
                await response.ResponseStream.ReadExactlyAsync(memory.Memory[..stored.Length], limit.Token);
                return memory;
            }
            catch (AmazonS3Exception exception) when (exception.ErrorCode == "NoSuchKey")
            {
                return null;
            }
            catch
            {
                memory?.Dispose();
                throw;
            }
        }, cancellation);

    /// <summary>Deletes an object. One that does not exist is no error.</summary>
    public Task DeleteAsync(string key, CancellationToken cancellation) =>
        TryAsync(s3 => s3.DeleteObjectAsync(options.Bucket, key, cancellation), cancellation);

    /// <summary>Deletes an object if the store is available. If not, <see cref="ObjectSweep"/> deletes it later.</summary>
    public async Task TryDeleteAsync(string key)
    {
        try
        {
            await DeleteAsync(key, CancellationToken.None);
        }
        catch (ObjectStoreUnavailableException) { } // Nothing needs the object.
    }

    /// <summary>Lists the objects of this model, in pages of up to 1,000.</summary>
    public async IAsyncEnumerable<IReadOnlyList<ListedObject>> ListAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        string? next = null;
        do
        {
            var request = new ListObjectsV2Request { BucketName = options.Bucket, Prefix = root, ContinuationToken = next };
            var page = await TryAsync(s3 => s3.ListObjectsV2Async(request, cancellation), cancellation);
            yield return [.. (page.S3Objects ?? []).Select(each => new ListedObject(each.Key, Age(each.LastModified)))];
            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);

        TimeSpan Age(DateTime? modified) => modified is { } at ? time.GetUtcNow() - at.ToUniversalTime() : TimeSpan.Zero;
    }

    /// <summary>The folder, job and name of a key. Null if the key is not one of Muse's.</summary>
    public (string Folder, string JobId, string Name)? ParseKey(string key) =>
        key.StartsWith(root, StringComparison.Ordinal) && key[root.Length..].Split('/') is [var folder, _, var jobId, var name]
            ? (folder, jobId, name)
            : null;

    /// <summary>An address at which a client gets the object without credentials for some time.</summary>
    public Task<Uri> PresignAsync(StoredObject stored, TimeSpan lifetime, CancellationToken cancellation) =>
        TryAsync(async _ => new Uri(await publicClient!.GetPreSignedURLAsync(new GetPreSignedUrlRequest
        {
            BucketName = options.Bucket,
            Key = stored.Key,
            Expires = (time.GetUtcNow() + lifetime).UtcDateTime,
            Protocol = (options.PublicEndpoint ?? options.Endpoint)?.Scheme == "http" ? Protocol.HTTP : Protocol.HTTPS,
        })), cancellation);

    /// <summary>Checks that the bucket can be written, read, listed and deleted from.</summary>
    /// <returns>A sentence for the operator if not; null if it can, or if the store is unavailable.</returns>
    public async Task<string?> FindUnsupportedAsync()
    {
        if (!Enabled)
            return null;
        var key = NewKey("probe", "start", "");
        try
        {
            var probe = await WriteAsync(key, "Muse"u8.ToArray(), InputType, CancellationToken.None);
            using var read = await ReadAsync(probe, CancellationToken.None);
            if (read is null || !read.Memory.Span.StartsWith("Muse"u8))
                return $"ObjectStore:Bucket '{options.Bucket}' does not return what was written to it.";
            await foreach (var _ in ListAsync(CancellationToken.None))
                break;
            await DeleteAsync(key, CancellationToken.None);
            return null;
        }
        catch (ObjectStoreUnavailableException exception)
        {
            return Explain(exception.InnerException);
        }
    }

    /// <summary>A sentence for an operator who has to change a setting or a permission; null for an error that may pass.</summary>
    string? Explain(Exception? exception) => exception switch
    {
        null => null,
        AmazonS3Exception { ErrorCode: "NoSuchBucket" } =>
            $"ObjectStore:Bucket names the bucket '{options.Bucket}', which does not exist. Create it, or name another one.",
        AmazonS3Exception { ErrorCode: "InvalidAccessKeyId" or "SignatureDoesNotMatch" } =>
            "The object store refuses ObjectStore:AccessKey and ObjectStore:SecretKey (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY).",
        AmazonS3Exception { ErrorCode: "RequestTimeTooSkewed" } => "The clock of this machine differs too much from the object store's.",
        AmazonS3Exception { StatusCode: HttpStatusCode.Forbidden } => "The credentials of the object store have no permission for the "
            + $"bucket '{options.Bucket}'. Muse needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket.",
        AmazonS3Exception { ErrorCode: "PermanentRedirect" or "AuthorizationHeaderMalformed" or "IllegalLocationConstraintException" } =>
            $"ObjectStore:Region is '{options.Region}', and the bucket '{options.Bucket}' is in another region.",
        AmazonS3Exception { StatusCode: >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError } s3
            and not { StatusCode: HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests } =>
            $"The server at {Address} does not answer as an S3 service does: {(int)s3.StatusCode} {s3.Message.Trim().TrimEnd('.')}. "
                + "Check ObjectStore:Endpoint.",
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } =>
            $"ObjectStore:Endpoint names a host that does not exist: {Address}.",
        HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.SecureConnectionError } =>
            $"The server at {Address} does not answer as an S3 service does: {exception.Message.TrimEnd('.')}. Check ObjectStore:Endpoint.",
        AmazonClientException when IsWithoutCredentials(exception) => "The object store needs credentials. Set ObjectStore:AccessKey and "
            + "ObjectStore:SecretKey, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        { InnerException: { } inner } => Explain(inner),
        _ => null,
    };

    static bool IsWithoutCredentials(Exception exception) => exception.Message.Contains("credentials", StringComparison.OrdinalIgnoreCase);

    string Address => options.Endpoint?.GetLeftPart(UriPartial.Authority) ?? $"Amazon S3 in {options.Region}";

    async Task<T> TryAsync<T>(Func<AmazonS3Client, Task<T>> operation, CancellationToken cancellation)
    {
        if (client is null)
        {
            throw new ObjectStoreUnavailableException("An image is in an object store, and this process has none: ObjectStore:Bucket "
                + "must be set for the API and for all workers.");
        }

        try
        {
            return await operation(client);
        }
        catch (Exception exception) when (!cancellation.IsCancellationRequested && IsTransient(exception))
        {
            throw new ObjectStoreUnavailableException(
                $"The object store is unavailable: {Explain(exception) ?? exception.Message}", exception);
        }
    }

    /// <summary>
    /// Whether the same request may succeed later. A missing permission counts too: an operator can grant it while Muse runs.
    /// </summary>
    static bool IsTransient(Exception exception) => exception is AmazonServiceException or AmazonClientException or HttpRequestException
        or IOException or TimeoutException or OperationCanceledException; // The last is a timeout, too.

    AmazonS3Client CreateClient(Uri? endpoint)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle ?? endpoint is not null,
            Timeout = options.Timeout,
            MaxErrorRetry = Retries,
            // The checksums that the SDK adds by itself are unknown to many services. TLS and the signature protect the content.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (endpoint is null)
        {
            config.RegionEndpoint = Amazon.RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = endpoint.AbsoluteUri;
            config.AuthenticationRegion = options.Region;
        }

        return options.AccessKey.Length > 0
            ? new AmazonS3Client(options.AccessKey, options.SecretKey, config)
            : new AmazonS3Client(config);
    }

    string NewKey(string folder, string jobId, string name) => string.Create(CultureInfo.InvariantCulture,
        $"{root}{folder}/{time.GetUtcNow():yyyy-MM-dd}/{jobId}/{name}{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}");

    static string Extension(OutputFormat format) => format switch
    {
        OutputFormat.Jpeg => "jpeg",
        OutputFormat.Webp => "webp",
        _ => "png",
    };

    static MemoryStream ToStream(ReadOnlyMemory<byte> bytes) =>
        MemoryMarshal.TryGetArray(bytes, out var array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
            : new MemoryStream(bytes.ToArray(), writable: false);

    public void Dispose()
    {
        client?.Dispose();
        publicClient?.Dispose();
    }
}

/// <summary>An object of a list.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Age">The time since it was written.</param>
readonly record struct ListedObject(string Key, TimeSpan Age);
