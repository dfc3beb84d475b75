"""Learning: courses, languages and texts."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, text, words

# fmt: off
COURSE = s.ident("course", "course number")
QUIZ = s.ident("quiz", "quiz number")
DECK = s.ident("deck", "deck number")
WORD = s.named("word", text(values.one_of(pools.NOUNS), 0.6), "{}", "The word", names="word term", leads=True)
PASSAGE = s.named(
    "passage", text(texts.message, 1.0), "{}|which reads {}", "The text", names="text passage", label="text",
    leads=True,
)
SCHOOL_SUBJECT = s.choice(
    "school_subject", "in {}", "Subject", "algebra biology history chemistry geography", names="subject school_subject",
    label="subject",
)
FROM_LANGUAGE = s.choice(
    "from_language", "from {}", "Language of the text", "English Dutch Polish Russian",
    names="source_language from_language", label="source language",
).opt

CONCEPTS = (
    *domain(
        "courses",
        tool(
            "search_courses find_courses", "Finds courses.",
            "find a course|search for courses",
            s.SUBJECT,
            s.choice(
                "level", "for {}", "Level",
                {"beginner": "beginners", "intermediate": "intermediate learners", "advanced": "advanced learners"},
                names="level",
            ).opt,
            s.flag(
                "certificate", "Whether it ends with a certificate", "with a certificate|ending with a certificate",
                "without a certificate|a certificate is not needed", "certificate with_certificate",
            ),
            gives=(COURSE,),
        ),
        tool(
            "enroll_in_course join_course", "Enrolls somebody in a course.",
            "enroll somebody in the course|sign up for the course",
            COURSE, s.PERSON, s.EMAIL.said("reachable at {}|with the email {}").opt,
        ),
        tool("drop_course leave_course", "Leaves a course.", "drop the course|leave the course", COURSE, s.NOTE),
        tool(
            "submit_homework hand_in_assignment", "Hands in homework.",
            "hand in my homework for course|submit the assignment for course",
            COURSE, s.FILE.said("namely {}|which is {}"), s.NOTE,
        ),
        tool(
            "get_grades course_grades", "Tells the grades in a course.",
            "look up the grades in course|?which grades are there in course",
            COURSE, s.PERSON.said("of {}|for the student {}", names="student", label="student").opt,
        ),
        tool(
            "create_quiz make_quiz", "Makes a quiz.",
            "make a quiz|create a quiz",
            SCHOOL_SUBJECT,
            s.named(
                "questions", integer(4, 40), "with {} questions|of {} questions", "Number of questions",
                names="questions num_questions", label="number of questions",
            ),
            s.choice("difficulty", "at {} difficulty", "Difficulty", "easy medium hard", names="difficulty").opt,
            gives=(QUIZ,),
        ),
        tool(
            "grade_quiz score_quiz", "Grades answers to a quiz.",
            "grade the quiz|score the quiz",
            QUIZ,
            s.named(
                "answers", many(words("A B C D"), 2, 4), "with the answers {}|answered {}", "Answers",
                names="answers responses",
            ),
        ),
        tool(
            "book_tutor find_tutor", "Books a tutor.",
            "book a tutor|get a private lesson",
            SCHOOL_SUBJECT, s.DAY, s.AT, s.MINUTES.opt, s.MAX_PRICE.opt, gives=(s.PERSON,),
        ),
        tool(
            "create_flashcards make_flashcards", "Makes flashcards from a file.",
            "make flashcards from|turn into flashcards the file",
            s.FILE,
            s.named(
                "cards", integer(5, 60), "with {} cards|limited to {} cards", "Number of cards",
                names="cards num_cards", label="number of cards",
            ).opt,
            gives=(DECK,),
        ),
        tool(
            "review_flashcards practice_deck", "Asks for the cards of a deck.",
            "quiz me on the deck|practice the deck",
            DECK, s.MINUTES.opt,
        ),
    ),
    *domain(
        "language",
        tool(
            "translate_text translate_sentence", "Translates a text.",
            "translate the text|give me a translation of",
            PASSAGE, s.LANGUAGE, FROM_LANGUAGE,
        ),
        tool(
            "define_word dictionary_lookup", "Explains a word.",
            "look up the word|?what is the meaning of the word",
            WORD,
            s.choice(
                "dictionary", "in the {} dictionary", "Dictionary", "general medical legal technical",
                names="dictionary field",
            ).opt,
        ),
        tool(
            "find_synonyms get_synonyms", "Lists words that mean the same.",
            "find synonyms of|?which other words are there for",
            WORD, s.LIMIT.opt,
        ),
        tool(
            "find_rhymes rhyming_words", "Lists words that rhyme.",
            "find rhymes for|?what rhymes with",
            WORD, s.LIMIT.opt,
        ),
        tool(
            "check_spelling proofread", "Finds mistakes in a text.",
            "check the spelling of|proofread the text",
            PASSAGE,
            s.choice(
                "variant", "in {} English", "Spelling", "British American Australian", names="variant dialect",
            ).opt,
        ),
        tool(
            "detect_language identify_language", "Tells the language of a text.",
            "tell me the language of|?in which language is it, the text",
            PASSAGE,
        ),
        tool(
            "analyze_sentiment text_mood", "Tells the mood of a text.",
            "analyze the sentiment of|?how does it sound, the text",
            PASSAGE,
            s.flag(
                "scores", "Whether scores are shown", "with scores|showing the scores", "without scores|no scores",
                "scores with_scores",
            ),
        ),
        tool(
            "read_aloud text_to_speech", "Reads a text aloud.",
            "read out loud|turn into speech the text",
            PASSAGE, s.choice("voice", "with a {} voice", "Voice", "male female robotic", names="voice").opt,
            s.choice("tempo", "at a {} tempo", "Tempo", "slow normal fast", names="tempo speed").opt, gives=(s.FILE,),
        ),
        tool(
            "transcribe_audio speech_to_text", "Writes down what is said in a recording.",
            "transcribe the recording|write down what is said in",
            s.FILE,
            FROM_LANGUAGE.said("spoken in {}|in {}", "Language of the recording", names="language", label="language"),
            s.flag(
                "stamps", "Whether times are noted", "with time stamps|including times",
                "without time stamps|no time stamps", "timestamps with_times",
            ),
            gives=(s.ident("document", "document id", "document_id doc_id"),),
        ),
        tool(
            "count_words word_count", "Counts the words of a file.",
            "count the words in|?how many words are there in",
            s.FILE,
        ),
    ),
)
