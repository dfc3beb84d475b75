"""Media: music, films, books."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, words, year

# fmt: off
SONG = s.TITLE.as_("song", "{}|called {}", "Title of the song", names="song track", label="song", leads=True)
ARTIST = s.PERSON.as_("artist", "by {}|sung by {}", "Artist", names="artist performer")
PLAYLIST = s.ident("playlist", "playlist number")
FILM = s.TITLE.as_("film", "{}|called {}", "Title of the film", names="film movie", label="film", leads=True)
TICKETS = s.ident("ticket_order", "ticket order number")
CONCERT = s.ident("show", "show number", "show_id event_id")
BOOK = s.TITLE.as_("book", "{}|called {}", "Title of the book", names="book book_title", label="book", leads=True)
LOAN = s.ident("book_loan", "loan number")
GENRE = s.choice(
    "genre", "from the genre {}|which is {}", "Genre", "jazz techno folk classical metal", names="genre style",
)
FILM_GENRE = s.choice(
    "film_genre", "of the genre {}|which are {}", "Genre", "comedy horror drama documentary western",
    names="genre film_genre", label="genre",
)
SEATS = s.named(
    "seats", integer(2, 9), "{} seats|with {} seats", "Number of seats", names="seats num_seats",
    label="number of seats",
)
SHELF = s.choice(
    "shelf", "to the shelf {}|under {}", "Shelf", "wanted reading finished favorites", names="shelf list_name",
)

CONCEPTS = (
    *domain(
        "music",
        tool("play_song play_track", "Plays a song.", "play the song|put on the track", SONG, ARTIST.opt, s.ROOM.opt),
        tool(
            "create_playlist make_playlist", "Makes a playlist.",
            "make a playlist|create a playlist",
            s.TITLE,
            s.named(
                "songs", many(s.TITLE_NAME, 1, 3), "with the songs {}|holding {}", "Songs", names="songs tracks",
            ).opt,
            s.PUBLIC, gives=(PLAYLIST,),
        ),
        tool(
            "add_song_to_playlist add_track", "Puts a song on a playlist.",
            "add the song|put on a playlist the song",
            SONG, PLAYLIST.said("to playlist {}|on the playlist number {}"),
        ),
        tool(
            "play_playlist start_playlist", "Plays a playlist.",
            "play the playlist|start the playlist",
            PLAYLIST,
            s.flag(
                "shuffle", "Whether the order is random", "shuffled|in random order", "in the given order|not shuffled",
                "shuffle random_order",
            ),
        ),
        tool(
            "recommend_music music_suggestions", "Suggests music.",
            "suggest some music|recommend me music",
            GENRE, s.choice("mood", "for a {} mood", "Mood", "happy calm sad energetic", names="mood").opt, s.LIMIT.opt,
            gives=(SONG,),
        ),
        tool(
            "get_lyrics song_lyrics", "Shows the words of a song.",
            "show the lyrics of|?how do the words go in",
            SONG, ARTIST.opt,
        ),
        tool(
            "identify_song recognize_song", "Names the song in a recording.",
            "name the song in the recording|?which song is it in",
            s.FILE, gives=(SONG,),
        ),
        tool(
            "set_volume change_volume", "Sets the volume of the speakers.",
            "change the volume|set the volume",
            s.ROOM, s.PERCENT,
        ),
        tool(
            "set_sleep_timer stop_music_after", "Stops the music after a while.",
            "stop the music later|set a sleep timer for the music",
            s.MINUTES.said("in {}|after {}"),
            s.flag(
                "fade", "Whether it fades out", "fading out|with a fade-out", "stopping at once|without fading",
                "fade_out fade",
            ),
        ),
        tool(
            "play_podcast listen_podcast", "Plays an episode of a podcast.",
            "play a podcast|listen to a podcast",
            s.TITLE,
            s.named(
                "episode", integer(2, 400), "episode {}|starting with episode {}", "Number of the episode",
                names="episode episode_number",
            ).opt,
            s.named("speed", words("slow normal fast"), "at {} speed", "Speed", names="speed playback_speed").opt,
        ),
    ),
    *domain(
        "films",
        tool(
            "search_films find_movies", "Finds films.",
            "search for films|find a movie",
            FILM_GENRE,
            s.named(
                "after_year", year(1950, 2020), "made after {}|from {} or later", "Earliest year",
                names="after_year min_year", label="earliest year",
            ).opt,
            s.SCORE.said(
                "rated {} or better|with a rating of at least {}", names="min_rating", label="least rating",
            ).opt,
            gives=(FILM,),
        ),
        tool(
            "get_film_details movie_information", "Tells about a film.",
            "tell me about the film|?who made the film",
            FILM,
        ),
        tool(
            "get_cinema_program showtimes", "Lists what the cinemas of a city show.",
            "look up what the cinemas show|?what is on at the movies",
            s.CITY, s.DAY.opt,
            s.flag(
                "original", "Whether films are in the original language", "in the original language|undubbed",
                "dubbed|dubbed is fine", "original_version original",
            ),
            gives=(CONCERT,),
        ),
        tool(
            "book_cinema_tickets buy_movie_tickets", "Buys cinema tickets.",
            "book cinema tickets for show|buy movie tickets for show",
            CONCERT, SEATS, s.choice("row", "in the {} row", "Row", "front middle back", names="row seat_row").opt,
            gives=(TICKETS, s.TOTAL),
        ),
        tool(
            "add_to_watchlist watch_later", "Puts a film on the watch list.",
            "put on my watch list the film|add to the watch list the film",
            FILM, s.NOTE,
        ),
        tool(
            "stream_film play_film", "Plays a film on a screen.",
            "stream the film|play the film",
            FILM, s.ROOM.said("in the {}|on the screen in the {}"),
            s.choice(
                "subtitles", "with {} subtitles", "Language of the subtitles", "English French Arabic Korean",
                names="subtitles subtitle_language",
            ).opt,
        ),
        tool(
            "record_tv_program record_broadcast", "Records a broadcast.",
            "record a broadcast|tape a TV program",
            s.choice(
                "channel", "on {}", "Channel",
                {
                    "one": "channel one", "news": "the news channel", "sport": "the sports channel",
                    "kids": "the kids' channel",
                },
                names="channel",
            ),
            s.DAY, s.AT, s.MINUTES,
        ),
        tool(
            "rate_film review_movie", "Stores a rating of a film.",
            "rate the film|review the film",
            FILM, s.SCORE, s.PUBLIC,
        ),
    ),
    *domain(
        "library",
        tool(
            "search_library find_books", "Finds books in the library.",
            "search the library|look for books",
            s.QUERY,
            s.choice(
                "medium", "as {}", "Medium", {"print": "printed books", "audio": "audio books", "ebook": "e-books"},
                names="medium book_format",
            ).opt,
            s.LIMIT.opt, gives=(BOOK,),
        ),
        tool(
            "borrow_book check_out_book", "Borrows a book.",
            "borrow the book|check out the book",
            BOOK, s.ident("library_card", "library card number").said("with the library card {}|on card {}"),
            gives=(LOAN, s.BY_DATE),
        ),
        tool(
            "renew_loan extend_loan", "Renews a loan.",
            "renew the loan|keep longer the book with loan",
            LOAN, s.DAYS.said("by {} days|for another {} days"),
        ),
        tool(
            "return_book give_back_book", "Gives a book back.",
            "return the book with loan|give back the book with loan",
            LOAN,
            s.choice(
                "branch", "at the {} branch", "Branch", "central northern harbour university",
                names="branch library_branch",
            ).opt,
        ),
        tool(
            "reserve_book hold_book", "Reserves a book that is out.",
            "reserve the book|put a hold on the book",
            BOOK, s.ident("library_card", "library card number").said("with the library card {}|on card {}"),
            s.EMAIL.said("telling me at {}|with a mail to {}").opt,
        ),
        tool(
            "pay_library_fine settle_library_fee", "Pays a fee of the library.",
            "pay the library fees on card|settle what is owed to the library on card",
            s.ident("library_card", "library card number"), s.AMOUNT,
        ),
        tool(
            "suggest_purchase propose_book", "Proposes that the library buys a book.",
            "propose that the library buys|ask the library to get",
            BOOK, s.PERSON.said("written by {}|by the author {}", "Author", names="author", label="author"), s.NOTE,
        ),
        tool(
            "add_to_reading_list shelve_book", "Puts a book on a list of one's own.",
            "put on my reading list the book|shelve the book",
            BOOK, SHELF,
        ),
    ),
)
